"""The import arrows of docs/architecture.md, checked."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (
    *("api", "benchmarks", "darkroom", "dashboard", "diffusion", "dispatcher"),
    *("formats", "jobs", "reports", "synthetic", "worker"),
)
LONGEST_FILE = 300

IMPORT_ALL_OF = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
assert sys.argv[1] in sys.modules
print(*sorted(name for name in ("torch", "diffusion") if name in sys.modules))
"""


def loaded_by(*packages: str) -> str:
    """Which of torch and diffusion a fresh process has loaded with all modules of packages."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL_OF, *packages],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_import_contracts_hold() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [str(lint_imports), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done.stdout)


@pytest.mark.parametrize(
    "package",
    [
        "api",
        "dashboard",
        "dispatcher",
        "worker.consumer",
        "darkroom",
        "jobs",
        "formats",
        "reports",
        "synthetic",
    ],
)
def test_only_the_engine_loads_torch(package: str) -> None:
    assert loaded_by(package) == ""


def test_the_engine_does_load_torch() -> None:
    assert loaded_by("worker.engine") == "diffusion torch"


def test_no_file_is_long() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }

    assert len(lengths) > len(PACKAGES)
    assert {path: n for path, n in lengths.items() if n > LONGEST_FILE} == {}
