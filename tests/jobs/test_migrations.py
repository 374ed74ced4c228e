from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from jobs.database import Database
from jobs.tables import Job

pytestmark = pytest.mark.both_databases

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(empty_database_url) -> Config:
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["database_url"] = empty_database_url
    return config


def tables(config: Config) -> set[str]:
    database = Database(config.attributes["database_url"])
    names = set(inspect(database.engine).get_table_names())
    database.close()
    return names


def test_all_migrations_make_exactly_the_tables_of_the_code(config):
    command.upgrade(config, "head")

    assert tables(config) == set(Job.metadata.tables) | {"alembic_version"}
    command.check(config)  # raises if a migration is missing


def test_all_migrations_can_be_undone_and_done_again(config):
    command.upgrade(config, "head")
    command.downgrade(config, "base")
    assert tables(config) == {"alembic_version"}

    command.upgrade(config, "head")
    command.check(config)


def test_there_is_one_newest_migration(config):
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1
