"""All rows of a SQLite database carried into PostgreSQL, when a system has outgrown its file."""

from sqlalchemy import insert, inspect, select

from jobs.columns import Base
from jobs.database import Database

ROWS_AT_ONCE = 1000


def holds_rows(database: Database) -> bool:
    """Whether there is a row in any of our tables, as far as they exist."""
    existing = set(inspect(database.engine).get_table_names())
    tables = [table for table in Base.metadata.sorted_tables if table.name in existing]
    with database.read() as session:
        return any(session.scalar(select(1).select_from(table).limit(1)) for table in tables)


def carry_rows(source: Database, target: Database) -> None:
    """Copy every row in one transaction; both are migrated, and `target` holds none.

    Raises:
        SQLAlchemyError: the target refuses a row; then it has taken none.
    """
    with source.read() as reading, target.write() as writing:
        for table in Base.metadata.sorted_tables:  # whatever a row refers to comes before it
            # The database counts on by itself, in the same order.
            columns = [c for c in table.columns if c is not table.autoincrement_column]
            rows = select(*columns).order_by(*table.primary_key.columns)
            found = reading.execute(rows, execution_options={"yield_per": ROWS_AT_ONCE})
            for part in found.mappings().partitions():
                writing.execute(insert(table), [dict(row) for row in part])
