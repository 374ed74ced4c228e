"""Alembic's entry point: migrate the database that the settings name."""

from typing import Any, Literal

from alembic import context

from jobs.columns import UtcDateTime
from jobs.database import Database
from jobs.settings import DatabaseSettings
from jobs.tables import Job


def render_item(kind: str, item: Any, _autogenerate_context: Any) -> str | Literal[False]:
    """Write our own type as what the database knows, so that a migration outlives the code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run_migrations() -> None:
    """Run on the connection of the caller, or on one made from the settings' URL."""
    url = context.config.attributes.get("database_url") or DatabaseSettings().database_url
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # large tables
            context.configure(
                connection=connection,
                target_metadata=Job.metadata,
                render_item=render_item,
                render_as_batch=True,  # SQLite changes a column by making the table anew
            )
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()
    finally:
        database.close()


run_migrations()
