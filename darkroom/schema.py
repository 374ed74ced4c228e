"""Bring the database up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config

import migrations


def migrate(database_url: str) -> None:
    """Run all migrations that the database at this SQLAlchemy URL has not seen."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["database_url"] = database_url
    command.upgrade(config, "head")
