"""An artifact store that a real `darkroom web` serves, as its workers use it."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from jobs.artifacts import ArtifactStore, attempt_folder
from jobs.errors import ArtifactFileNotFoundError, ArtifactPathError, ArtifactStoreError
from jobs.http_files import RETRY_SECONDS, HttpFiles
from jobs.messages import Manifest

KEY = "worker-secret"
FOLDER = attempt_folder("j", "j-0", 1, "w")
FILE = f"{FOLDER}/images.npy"
START_SECONDS = 60.0


class Web:
    """A web program on one port, which can be ended and started again; no Redis is there."""

    def __init__(self, folder: Path, database: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v1/store"
        self.artifacts = folder / "artifacts"
        self._log = folder / "web.log"
        shutil.copy(database, folder / "darkroom.sqlite")
        known = {
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "DATABASE_URL": f"sqlite:///{folder}/darkroom.sqlite",
            "ARTIFACTS_URL": str(self.artifacts),
            "PORT": str(port),
            "API_KEYS": json.dumps({"user-secret": "ada"}),
            "WORKER_KEYS": json.dumps({KEY: "lab-b"}),
            "MAX_STORED_BYTES": str(64 * 2**20),
        }
        self._environment = {f"DARKROOM_{name}": value for name, value in known.items()}

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "darkroom", "web"],
                env=os.environ | self._environment,
                stdout=log,
                stderr=log,
            )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(self.url, timeout=30).status_code == httpx.codes.UNAUTHORIZED:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        self.kill()
        pytest.fail(self._log.read_text())

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, migrated_file: Path, free_port: Callable[[], int]
) -> Iterator[Web]:
    web = Web(tmp_path_factory.mktemp("web"), migrated_file, free_port())
    web.start()
    web.wait_ready()
    yield web
    web.kill()


@pytest.fixture
def web(served: Web) -> Web:
    """The one web program, with no file of a job."""
    shutil.rmtree(served.artifacts / "jobs", ignore_errors=True)
    return served


class CuttingProxy:
    """Passes bytes on to a port; cuts the first connections after a number of bytes each way."""

    def __init__(self, port: int, cuts: list[tuple[int, int]]) -> None:
        self._target = ("127.0.0.1", port)
        self._cuts = list(cuts)
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            limits = self._cuts.pop(0) if self._cuts else (2**40, 2**40)
            try:
                server = socket.create_connection(self._target)
            except OSError:  # the web program is being started again
                client.close()
                continue
            for source, sink, limit in ((client, server, limits[0]), (server, client, limits[1])):
                threading.Thread(target=_pass, args=(source, sink, limit), daemon=True).start()

    def close(self) -> None:
        self._listener.close()


def _pass(source: socket.socket, sink: socket.socket, limit: int) -> None:
    with contextlib.suppress(OSError):
        while limit > 0 and (data := source.recv(min(65536, limit))):
            sink.sendall(data)
            limit -= len(data)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()  # what still comes is answered by a reset


def test_a_worker_works_over_http_as_in_a_folder(web: Web) -> None:
    store = ArtifactStore(web.url, KEY)
    content = os.urandom(5_000_000)
    manifest = Manifest(job_id="j", shard_id="j-0", attempt=1, worker="w", done=10, artifacts=[])

    store.check()
    store.write_bytes(FILE, content)
    store.write_bytes(f"{FOLDER}/empty", b"")
    assert store.read_manifest("j", "j-0", 1, "w") is None
    store.write_manifest(manifest)

    assert store.read_bytes(FILE) == content
    assert store.read_bytes(f"{FOLDER}/empty") == b""
    assert (web.artifacts / FILE).read_bytes() == content
    assert store.names(FOLDER) == ["empty", "images.npy", "manifest.json"]
    assert store.names("jobs/j/j-0") == ["1-w"]
    assert store.names("jobs/nobody") == []
    assert store.read_manifest("j", "j-0", 1, "w") == manifest
    store.write_bytes(FILE, b"other")
    assert store.read_bytes(FILE) == b"other"

    store.delete(FILE)
    store.delete(FILE)

    assert not store.exists(FILE)
    with pytest.raises(ArtifactFileNotFoundError, match=r"images\.npy"):
        store.read_bytes(FILE)
    for refused in (f"checkpoints/{'0' * 64}.safetensors", "jobs/j/file"):
        with pytest.raises(ArtifactStoreError, match="artifact_path"):
            store.write_bytes(refused, b"x")
    with pytest.raises(ArtifactPathError):
        store.write_bytes("jobs/../../x", b"x")


def test_a_file_larger_than_the_store_takes_is_refused_at_once(web: Web) -> None:
    began = time.monotonic()
    with pytest.raises(ArtifactStoreError, match="67108864 bytes"):
        ArtifactStore(web.url, KEY).write_bytes(FILE, bytes(64 * 2**20 + 1))

    assert time.monotonic() - began < RETRY_SECONDS
    assert not (web.artifacts / FILE).exists()


def test_a_wrong_key_or_url_is_said_at_once_and_the_key_is_not(web: Web) -> None:
    root = web.url.removesuffix("/api/v1/store")
    for url, key, said in (
        (web.url, "wrong-secret", "worker_key_required"),
        (web.url, "user-secret", "worker_key_required"),
        (f"{root}/api/v1/stores", KEY, "api_key_required"),
        (root, KEY, "PermissionError|refused|no artifact store"),
    ):
        began = time.monotonic()
        with pytest.raises(ArtifactStoreError, match=said) as caught:
            ArtifactStore(url, key).check()
        assert time.monotonic() - began < RETRY_SECONDS
        assert not isinstance(caught.value, ArtifactFileNotFoundError)
        assert "secret" not in str(caught.value)
    for url, key in ((web.url, ""), ("https://u:p@h/api/v1/store", KEY), (f"{web.url}?key=1", KEY)):
        with pytest.raises(ValueError, match="DARKROOM_ARTIFACTS_KEY"):
            ArtifactStore(url, key)


def test_a_restart_of_web_is_only_a_pause(web: Web) -> None:
    store = ArtifactStore(web.url, KEY)
    store._fs._retry_seconds = START_SECONDS  # this computer may be busy
    store.write_bytes(FILE, b"before")
    web.kill()
    starter = threading.Timer(0.5, web.start)
    starter.start()

    store.write_bytes(FILE, b"after")
    starter.join()

    assert store.read_bytes(FILE) == b"after"
    assert store.exists(FILE)


def test_a_web_program_that_stays_away_is_an_error_that_may_pass(
    free_port: Callable[[], int],
) -> None:
    files = HttpFiles(f"http://127.0.0.1:{free_port()}/api/v1/store", KEY, retry_seconds=0.6)
    for ask in (files.cat_file, files.exists, files.ls, files.rm):
        began = time.monotonic()
        with pytest.raises(OSError, match="refused") as caught:
            ask(FILE)
        assert not isinstance(caught.value, FileNotFoundError)
        assert time.monotonic() - began < RETRY_SECONDS


def test_cut_connections_are_repeated_and_nothing_is_half_written(web: Web) -> None:
    content = os.urandom(3_000_000)
    port = int(web.url.split(":")[2].split("/")[0])
    # cut in the body sent, before the answer, in the middle of the body received
    proxy = CuttingProxy(port, [(1_000_000, 2**40), (2**40, 1), (2**40, 1_000_000)])
    store = ArtifactStore(web.url.replace(str(port), str(proxy.port)), KEY)

    store.write_bytes(FILE, content)
    proxied = proxy.connections
    assert (web.artifacts / FILE).read_bytes() == content
    assert proxied >= 3

    proxy._cuts = [(2**40, 1_000_000)]
    assert ArtifactStore(store.url, KEY).read_bytes(FILE) == content
    assert proxy.connections >= proxied + 2
    assert [path.name for path in (web.artifacts / FOLDER).iterdir()] == ["images.npy"]
    proxy.close()
