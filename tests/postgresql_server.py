"""A real PostgreSQL cluster of the tests' own, ended by its process id."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, event
from sqlalchemy.pool import Pool

START_SECONDS = 30.0
UNPRIVILEGED = "postgres"  # who runs it where the tests run as root, which PostgreSQL refuses
SETTINGS = {
    "unix_socket_directories": "",
    "timezone": "Asia/Kathmandu",  # nobody may lean on the server's zone
    "max_connections": 200,
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "fsync": "off",  # these data live as long as the tests
    "full_page_writes": "off",
}
# Nor on its order of texts: here "_" and "-" count last, and "a" comes before "B".
INIT = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]


def find_postgresql() -> Path | None:
    """The folder of the server's programs: of the newest version of Debian's, or on PATH."""
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(installed, key=lambda path: int(path.parts[-3]), default=None)
    on_path = shutil.which("initdb")
    if newest is None and on_path is None:
        return None
    return (newest or Path(on_path or "").resolve()).parent


class PostgresServer:
    """A server with one migrated database, `migrated`, to be copied."""

    def __init__(self, programs: Path, port: int) -> None:
        """Make the cluster's files, in a folder that the unprivileged user can reach."""
        self.port = port
        self._programs = programs
        self._password = secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="darkroom-postgresql-"))
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        if os.geteuid() == 0:
            for path in (self._folder, password_file):
                shutil.chown(path, UNPRIVILEGED, UNPRIVILEGED)
        subprocess.run(
            self._command(
                "initdb",
                *INIT,
                "--auth=scram-sha-256",
                "--username=darkroom",
                f"--pwfile={password_file}",
                "--no-sync",
                f"--pgdata={self._folder / 'data'}",
            ),
            check=True,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )

    def _command(self, program: str, *arguments: str) -> list[str]:
        """A program of the server's, which ends when the tests are killed."""
        who = []
        if os.geteuid() == 0:
            who = [f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--init-groups"]
        return ["setpriv", "--pdeathsig=INT", *who, str(self._programs / program), *arguments]

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of this database."""
        return URL.create(
            "postgresql+psycopg",
            username="darkroom",
            password=self._password,
            host="127.0.0.1",
            port=self.port,
            database=database,
        ).render_as_string(hide_password=False)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = SETTINGS | {"listen_addresses": "127.0.0.1", "port": self.port}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", str(self._folder / "data"), *options),
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, f"PostgreSQL did not start:\n{self.log}"
                time.sleep(0.02)

    @property
    def log(self) -> str:
        """What the server said."""
        return (self._folder / "log").read_text()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT breaks connections off, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
            self._process = None

    def forget(self) -> None:
        """Delete its files (only while it is down)."""
        shutil.rmtree(self._folder)

    def execute(self, query: sql.SQL | sql.Composed | str, values: Sequence[Any] = ()) -> list[Any]:
        """Run one statement as the superuser; gives its rows."""
        text = sql.SQL(query) if isinstance(query, str) else query  # type: ignore[arg-type]
        with (
            psycopg.connect(
                host="127.0.0.1",
                port=self.port,
                user="darkroom",
                password=self._password,
                dbname="postgres",
                autocommit=True,
            ) as connection,
            connection.execute(text, values) as cursor,
        ):
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def database(self, name: str, template: str = "template1") -> Iterator[str]:
        """The URL of a database that is made here, and dropped with this context.

        Connections of this process to it are closed: most tests leave theirs to the pools.
        """
        opened: list[psycopg.Connection[Any]] = []

        def remember(connection: Any, _record: Any) -> None:
            if isinstance(connection, psycopg.Connection):
                opened.append(connection)

        make = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(make.format(sql.Identifier(name), sql.Identifier(template)))
        event.listen(Pool, "connect", remember)
        try:
            yield self.url(name)
        finally:
            event.remove(Pool, "connect", remember)
            for connection in opened:
                connection.close()
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            self.execute(drop.format(sql.Identifier(name)))
