import logging

import pytest
from sqlalchemy import text

from jobs import sqlite
from jobs.database import Database
from jobs.sqlite import has_wal_reset_bug


@pytest.mark.parametrize(
    ("version", "has_bug"),
    [
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
        ((4, 0, 0), False),
    ],
)
def test_the_versions_with_the_wal_reset_bug_are_known(version, has_bug):
    assert has_wal_reset_bug(version) is has_bug


def journal_mode(database) -> str:
    with database.read() as session:
        return session.execute(text("PRAGMA journal_mode")).scalar_one()


def test_a_sound_sqlite_writes_ahead_and_an_affected_one_does_not(tmp_path, monkeypatch, caplog):
    is_sound = not has_wal_reset_bug(sqlite.sqlite_module().sqlite_version_info)
    database = Database(f"sqlite:///{tmp_path}/new/some.sqlite")
    assert journal_mode(database) == ("wal" if is_sound else "truncate")
    database.close()

    monkeypatch.setattr(sqlite, "WAL_RESET_FIXED", (99, 0, 0))
    monkeypatch.setattr(sqlite, "WAL_RESET_BACKPORTS", {})
    with caplog.at_level(logging.WARNING):
        affected = Database(f"sqlite:///{tmp_path}/affected.sqlite")
    assert journal_mode(affected) == "truncate"
    assert "WAL-reset bug" in caplog.text
    affected.close()
