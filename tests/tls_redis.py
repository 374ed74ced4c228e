"""A real redis-server behind a password, with TLS by certificates of the test's own."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from jobs.redis_access import check_redis
from tests.ports import free_port_of

PASSWORD = "tls-password"
START_SECONDS = 60.0


@dataclass(frozen=True)
class TlsRedis:
    """Where it listens, and two authorities: one that signed its certificate, one that did not."""

    address: str
    port: int
    plain_port: int
    authority: Path
    other_authority: Path

    def url(self, password: str = PASSWORD, authority: Path | None = None) -> str:
        path = authority or self.authority
        return f"rediss://:{password}@{self.address}:{self.port}/0?ssl_ca_certs={path}"


@contextmanager
def serve_tls_redis(folder: Path, address: str = "127.0.0.1") -> Iterator[TlsRedis]:
    """Listen with TLS on one port and without on another."""
    folder.mkdir(exist_ok=True)
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    pem = folder / "server.pem"
    authority.issue_cert(address).private_key_and_cert_chain_pem.write_to_path(pem)
    served = TlsRedis(
        address,
        free_port_of(address),
        free_port_of(address),
        folder / "ca.pem",
        folder / "other.pem",
    )
    options = {
        "bind": address,
        "dir": folder,
        "save": "",
        "port": served.plain_port,
        "tls-port": served.port,
        "requirepass": PASSWORD,
        "tls-cert-file": pem,
        "tls-key-file": pem,
        "tls-ca-cert-file": served.authority,
        "tls-auth-clients": "no",
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(["redis-server", *arguments], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not check_redis(served.url()):
            assert time.monotonic() < deadline, (folder / "redis.log").read_text()
            time.sleep(0.05)
        yield served
    finally:
        process.terminate()
        process.wait()
