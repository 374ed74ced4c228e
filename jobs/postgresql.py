"""PostgreSQL as SQLite is used: writers take turns, readers see one moment.

All that is inserted and changed was written for one writer at a time: a parent that is looked at
does not end before its child is committed, a key that is not there is not inserted by another
meanwhile. One advisory lock per writing transaction keeps that true, whatever is written next;
isolation levels would not (READ COMMITTED) or would make every transaction one that may have to be
done again (SERIALIZABLE).
"""

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

# Keys of advisory locks: eight letters each, as one 64-bit number.
WRITERS_LOCK = int.from_bytes(b"darkroom")
DISPATCHER_LOCK = int.from_bytes(b"dispatch")

LOCK_TIMEOUT_SECONDS = 10  # who waits for a writer for so long gives up
IDLE_WRITER_SECONDS = 60  # a writer that stands still for so long loses its transaction
STATEMENT_TIMEOUT_SECONDS = 30
# A machine that vanishes without a word is noticed after 5 + 3 × 2 s, on both sides.
KEEPALIVES = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
CONNECT_TIMEOUT_SECONDS = 5
SILENCE_MS = 10_000  # what is sent must be acknowledged by the other machine within this

TAKE_TURN = (
    f"SELECT pg_advisory_xact_lock({WRITERS_LOCK}), "
    f"set_config('idle_in_transaction_session_timeout', '{IDLE_WRITER_SECONDS}s', true)"
)
READER_OPTIONS = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def postgresql_engine(url: URL) -> Engine:
    """Connections to the server; what the URL's own query says goes first.

    A transaction begins with the writers' lock, unless it has the execution option `is_reader`.
    """
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,  # a connection that was dropped while it was idle is made anew
        connect_args=_connect_arguments(url),
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("is_reader", False):
            connection.exec_driver_sql(TAKE_TURN)

    return engine


def _connect_arguments(url: URL) -> dict[str, Any]:
    session = {
        "timezone": "UTC",
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        **{f"tcp_{name}": value for name, value in KEEPALIVES.items()},
        "tcp_user_timeout": SILENCE_MS,
    }
    options = [f"-c {name}={value}" for name, value in session.items()]
    ours = {
        "application_name": "darkroom",
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "tcp_user_timeout": SILENCE_MS,
        **KEEPALIVES,
    }
    given = url.query.get("options", ())
    options += [given] if isinstance(given, str) else given
    return {name: value for name, value in ours.items() if name not in url.query} | {
        "options": " ".join(options)
    }
