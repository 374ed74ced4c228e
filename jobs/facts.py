"""Facts that are kept beside jobs, each a small dictionary under its name.

`store` is the identity of this database, which the artifact store bears too; `dispatcher` who
dispatches, and when it said so last; `backup` until when no file may be deleted.
"""

from typing import Any

from sqlalchemy.orm import Session

from jobs.tables import Fact

STORE, DISPATCHER, BACKUP = "store", "dispatcher", "backup"


def read_fact(session: Session, name: str) -> dict[str, Any] | None:
    """What is kept under this name."""
    row = session.get(Fact, name)
    return None if row is None else row.value


def keep_fact(session: Session, name: str, value: dict[str, Any]) -> None:
    """Keep this, in place of what was kept."""
    row = session.get(Fact, name)
    if row is None:
        session.add(Fact(name=name, value=value))
    else:
        row.value = value


def drop_fact(session: Session, name: str) -> None:
    """Keep nothing under this name."""
    row = session.get(Fact, name)
    if row is not None:
        session.delete(row)
