"""All rows of a SQLite database carried into PostgreSQL, when a system has outgrown its file."""

from sqlalchemy import insert, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from jobs.backup import BackupError
from jobs.columns import Base
from jobs.database import Database

ROWS_AT_ONCE = 1000


def require_no_rows(session: Session) -> None:
    """Look into our tables, as far as they exist.

    Raises:
        BackupError: there is a row.
    """
    existing = set(inspect(session.connection()).get_table_names())
    for table in Base.metadata.sorted_tables:
        if table.name in existing and session.scalar(select(1).select_from(table).limit(1)):
            raise BackupError(f"the database is not empty: its table {table.name} has rows")


def carry_rows(source: Database, target: Database) -> None:
    """Copy every row in one transaction; both databases are migrated.

    Raises:
        BackupError: `target` has rows (a program may have begun to use it), or refuses one.
    """
    with source.read() as reading, target.write() as writing:
        require_no_rows(writing)
        for table in Base.metadata.sorted_tables:  # whatever a row refers to comes before it
            # The database counts on by itself, in the same order.
            columns = [c for c in table.columns if c is not table.autoincrement_column]
            rows = select(*columns).order_by(*table.primary_key.columns)
            found = reading.execute(rows, execution_options={"yield_per": ROWS_AT_ONCE})
            for part in found.mappings().partitions():
                try:
                    writing.execute(insert(table), [dict(row) for row in part])
                except DBAPIError as error:
                    raise BackupError(
                        f"table {table.name}: a row is refused, none was carried: {error.orig}"
                    ) from error
