"""compose.yaml against the Compose Specification, and each service's very command as a process."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import yaml
from compose_spec import PyCompose

from jobs.contract import WorkerView

ROOT = Path(__file__).parent.parent
KEYS = {"secret": "ada"}
SECONDS = 120.0


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """compose.yaml with its anchors and merges resolved."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def test_it_follows_the_specification(compose: dict[str, Any]) -> None:
    parsed = PyCompose.from_yaml(yaml.safe_dump(compose))

    parsed.validate()  # all that is referred to is there
    assert set(parsed.service_names()) == set(compose["services"])


def test_the_check_of_the_specification_can_fail(compose: dict[str, Any]) -> None:
    services = {**compose["services"], "web": {**compose["services"]["web"], "comand": []}}

    with pytest.raises(ValueError, match="comand"):
        PyCompose.from_yaml(yaml.safe_dump({**compose, "services": services}))


def test_workers_can_be_many(compose: dict[str, Any]) -> None:
    for name in ("worker", "gpu-worker"):
        service = compose["services"][name]
        assert "container_name" not in service
        assert "ports" not in service
        assert service["build"]["target"] == "worker"
        assert not any("DATABASE" in variable for variable in service["environment"])


def test_gpus_are_reserved_in_a_profile_only(compose: dict[str, Any]) -> None:
    with_gpu = {name for name, service in compose["services"].items() if "deploy" in service}

    assert with_gpu == {"gpu-worker"}
    assert compose["services"]["gpu-worker"]["profiles"] == ["gpu"]


def test_every_build_target_is_in_the_dockerfile(compose: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()

    for service in compose["services"].values():
        if "build" in service:
            assert f" AS {service['build']['target']}\n" in dockerfile
    web = dockerfile.split("AS worker")[0]
    assert "torch" not in "".join(line for line in web.splitlines() if not line.startswith("#"))


def test_images_hold_every_package_that_is_installed() -> None:
    copied = {
        line.split()[1]
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY")
    }
    allowed = set((ROOT / ".dockerignore").read_text().replace("!", "").split())
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks", "tests"}

    assert packages <= copied
    assert packages <= allowed


class Services:
    """Services of compose.yaml as processes of this machine: other addresses, the same words."""

    def __init__(self, compose: dict[str, Any], folder: Path, port: Callable[[], int]) -> None:
        self.web_port = port()
        self.redis_port = port()
        self._services = compose["services"]
        self._folder = folder
        self._programs: list[subprocess.Popen[bytes]] = []
        entry = next(
            line.removeprefix("ENTRYPOINT ")
            for line in (ROOT / "Dockerfile").read_text().splitlines()
            if line.startswith("ENTRYPOINT ")
        )
        assert json.loads(entry) == ["darkroom"]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a service by its very command and environment."""
        service = self._services[name]
        command = [str(word) for word in service["command"]]
        folder = self._folder / name
        folder.mkdir()
        if command[0] == "redis-server":
            command += ["--port", str(self.redis_port)]
        else:
            command = [sys.executable, "-m", "darkroom", *command]
        environment = {k: self._here(v) for k, v in service.get("environment", {}).items()}
        with (folder / "log").open("wb") as log:
            program = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log
            )
        self._programs.append(program)
        return program

    def _here(self, value: str) -> str:
        """The value with this machine's addresses and folders."""
        if "${DARKROOM_API_KEYS" in value:
            return json.dumps(KEYS)
        default = re.fullmatch(r"\$\{\w+:-(.*)\}", value)
        return (
            (default[1] if default else value)
            .replace("redis:6379", f"127.0.0.1:{self.redis_port}")
            .replace("/data/", f"{self._folder}/")
            .replace("/artifacts", f"{self._folder}/artifacts")
            .replace("8000", str(self.web_port))
        )

    def logs(self) -> str:
        return "\n".join(
            f"== {path.parent.name}\n{path.read_text(errors='replace')}"
            for path in sorted(self._folder.glob("*/log"))
        )

    def stop(self) -> None:
        for program in reversed(self._programs):
            program.terminate()
            program.wait(SECONDS)


@pytest.fixture
def services(
    compose: dict[str, Any], tmp_path: Path, free_port: Callable[[], int]
) -> Iterator[Services]:
    """Services that end with the test."""
    started = Services(compose, tmp_path, free_port)
    yield started
    started.stop()
    print(started.logs())  # noqa: T201  (shown when the test fails)


def eventually(ask: Callable[[], Any]) -> Any:
    """What `ask` gives once it is true and reached; fails after a minute."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            if answer := ask():
                return answer
        except (httpx.TransportError, redis.exceptions.RedisError):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_every_service_comes_to_life_by_its_very_command(
    services: Services, compose: dict[str, Any]
) -> None:
    services.start("redis")
    client = redis.Redis(port=services.redis_port)
    assert eventually(client.ping)
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    client.close()
    _, redis_cli, *words = compose["services"]["redis"]["healthcheck"]["test"]
    subprocess.run([redis_cli, "-p", str(services.redis_port), *words], check=True)

    assert services.start("migrate").wait(SECONDS) == 0

    running = [services.start(name) for name in ("dispatcher", "web", "worker", "gpu-worker")]
    url = f"http://127.0.0.1:{services.web_port}"
    headers = {"Authorization": f"Bearer {next(iter(KEYS))}"}
    assert eventually(lambda: httpx.get(f"{url}/readyz", timeout=30).json()["broker"] == "ok")
    check = compose["services"]["web"]["healthcheck"]["test"][-1]
    check = check.replace("8000", str(services.web_port))
    subprocess.run([sys.executable, "-c", check], check=True)

    def ready_workers() -> list[WorkerView] | None:
        items = httpx.get(f"{url}/api/v1/workers", timeout=30, headers=headers).json()["items"]
        ready = [view for view in map(WorkerView.model_validate, items) if view.slots]
        return ready if len(ready) == 2 else None

    # Only a dispatcher writes workers down, and only an engine that is ready gives a slot.
    assert eventually(ready_workers)
    assert [program.poll() for program in running] == [None] * len(running)
