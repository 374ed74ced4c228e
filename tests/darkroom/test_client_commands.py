"""submit, watch, jobs, cancel, download and import against a running system."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., Any]

NOBODY = "http://127.0.0.1:9"  # the discard port: nobody listens
SMALL = ("--param", "count=3", "--param", "num_inference_steps=2", "--param", "columns=3")


@pytest.fixture(scope="session")
def checkpoint(shared_up: Any, checkpoint_file: Path) -> str:
    """The id of a small network, imported by the command."""
    done = subprocess.run(
        [sys.executable, "-m", "darkroom", "import", "checkpoint", str(checkpoint_file)],
        env={**os.environ, "DARKROOM_URL": shared_up.url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "width 8" in done.stderr
    return done.stdout.strip()


def test_a_job_is_submitted_watched_listed_and_downloaded(
    shared_up: Any, darkroom: Run, checkpoint: str, tmp_path: Path
) -> None:
    submitted = darkroom(
        *("submit", "sample", *SMALL, "--param", f"checkpoint={checkpoint}", "--name", "three"),
        "--watch",
        url=shared_up.url,
    )
    job_id = submitted.stdout.strip()
    listed = darkroom("jobs", url=shared_up.url)
    downloaded = darkroom("download", job_id, "--to", "faces", url=shared_up.url)

    assert submitted.returncode == 0, submitted.stderr
    assert f"job {job_id} succeeded" in submitted.stderr
    assert any(
        line.startswith(job_id) and "succeeded" in line and "100 %" in line and "three" in line
        for line in listed.stdout.splitlines()
    )
    assert downloaded.returncode == 0, downloaded.stderr
    faces = tmp_path / "faces"
    with Image.open(faces / "collage.png") as collage:
        assert collage.size == (144, 48)
    images = np.load(faces / "images.npy")
    assert images.shape == (3, 48, 48)
    for index in range(3):
        with Image.open(faces / "images" / f"{index:03}.png") as image:
            assert np.array_equal(np.asarray(image), images[index])
    assert json.loads((faces / "job.json").read_text())["id"] == job_id


def test_watching_an_ended_job_says_how_it_ended(
    shared_up: Any, darkroom: Run, checkpoint: str
) -> None:
    arguments = ("--param", "count=50", "--param", f"checkpoint={checkpoint}")
    job_id = darkroom("submit", "sample", *arguments, url=shared_up.url).stdout.strip()

    canceled = darkroom("cancel", job_id, url=shared_up.url)
    watched = darkroom("watch", job_id, url=shared_up.url)
    again = darkroom("cancel", job_id, url=shared_up.url)

    assert canceled.returncode == 0
    assert f"job {job_id} canceled" in canceled.stderr
    assert watched.returncode == 1
    assert f"job {job_id} canceled" in watched.stderr
    assert again.returncode == 1
    assert "409 job_ended" in again.stderr


@pytest.mark.parametrize("command", ["watch", "cancel", "download"])
def test_a_job_that_does_not_exist_is_a_clear_error(
    shared_up: Any, darkroom: Run, command: str
) -> None:
    answer = darkroom(command, "nothing", url=shared_up.url)

    assert answer.returncode == 1
    assert "404 job_not_found" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_wrong_parameter_is_named_with_what_is_allowed(shared_up: Any, darkroom: Run) -> None:
    answer = darkroom("submit", "sample", "--param", "count=0", url=shared_up.url)

    assert answer.returncode == 1
    assert "params.count" in answer.stderr
    assert "422" in answer.stderr


def test_a_file_that_is_no_checkpoint_is_rejected(
    shared_up: Any, darkroom: Run, tmp_path: Path
) -> None:
    path = tmp_path / "face.cpt"
    path.write_bytes(b"no checkpoint at all")

    answer = darkroom("import", "checkpoint", str(path), url=shared_up.url)

    assert answer.returncode == 1
    assert "checkpoint_rejected" in answer.stderr


@pytest.mark.parametrize("arguments", [("jobs",), ("cancel", "x"), ("submit", "sample")])
def test_a_server_that_does_not_answer_is_named(darkroom: Run, arguments: tuple[str, ...]) -> None:
    answer = darkroom(*arguments, url=NOBODY)

    assert answer.returncode == 1
    assert f"no answer from {NOBODY}" in answer.stderr
    assert "darkroom up" in answer.stderr


def test_a_parameter_without_a_value_is_refused(darkroom: Run) -> None:
    answer = darkroom("submit", "sample", "--param", "count", url=NOBODY)

    assert answer.returncode == 2
    assert "'count' is not KEY=VALUE" in answer.stderr
