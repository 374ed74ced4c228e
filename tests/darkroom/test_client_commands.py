"""The commands that talk to a server, against a running system."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from formats.pictures import encode_png

Run = Callable[..., Any]

NOBODY = "http://127.0.0.1:9"  # the discard port: nobody listens
SMALL = ("--count", "3", "--num-inference-steps", "2", "--param", "columns=3")


def test_a_job_is_submitted_watched_listed_and_downloaded(
    shared_up: Any, darkroom: Run, checkpoint: str, tmp_path: Path
) -> None:
    submitted = darkroom(
        *("submit", "sample", *SMALL, "--checkpoint", checkpoint, "--name", "three"),
        "--watch",
        url=shared_up.url,
    )
    job_id = submitted.stdout.strip()
    listed = darkroom("jobs", url=shared_up.url)
    downloaded = darkroom("download", job_id, "--to", "faces", url=shared_up.url)

    assert submitted.returncode == 0, submitted.stderr
    assert f"job {job_id} succeeded" in submitted.stderr
    assert "of 6 image-steps)" in submitted.stderr
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
    arguments = ("--count", "50", "--checkpoint", checkpoint)
    job_id = darkroom("submit", "sample", *arguments, url=shared_up.url).stdout.strip()

    canceled = darkroom("cancel", job_id, url=shared_up.url)
    watched = darkroom("watch", job_id, url=shared_up.url)
    again = darkroom("cancel", job_id, url=shared_up.url)
    retried = darkroom("retry", job_id, url=shared_up.url)
    darkroom("cancel", retried.stdout.strip(), url=shared_up.url)

    assert canceled.returncode == 0
    assert f"job {job_id} canceled" in canceled.stderr
    assert watched.returncode == 1
    assert f"job {job_id} canceled" in watched.stderr
    assert again.returncode == 1
    assert "409 job_ended" in again.stderr
    assert retried.returncode == 0
    assert retried.stdout.strip() not in ("", job_id)


def test_a_training_is_watched_in_its_unit_with_its_loss_and_downloaded(
    shared_up: Any, darkroom: Run, tmp_path: Path
) -> None:
    small = ("--synthetic-count", "100", "--width", "8", "--batch-size", "8", "--steps", "4")
    trained = darkroom(
        "submit", "train_ddpm", *small, "--no-horizontal-flips", "--watch", url=shared_up.url
    )
    job_id = trained.stdout.strip()
    downloaded = darkroom("download", job_id, "--to", "trained", url=shared_up.url)
    listed = darkroom("checkpoints", url=shared_up.url)

    assert trained.returncode == 0, trained.stderr
    assert "of 4 steps" in trained.stderr
    assert downloaded.returncode == 0, downloaded.stderr
    job = json.loads((tmp_path / "trained" / "job.json").read_text())
    assert job["params"]["horizontal_flips"] is False
    metrics = json.loads((tmp_path / "trained" / "metrics.json").read_text())
    assert metrics["steps"] == 4
    assert [path.suffix for path in (tmp_path / "trained").glob("*.safetensors")]
    assert any(job_id in line for line in listed.stdout.splitlines())


def test_a_dataset_is_imported_and_listed(shared_up: Any, darkroom: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    np.save(tmp_path / "faces.npy", random.integers(0, 256, (5, 48, 48), np.uint8))
    np.save(tmp_path / "ages.npy", np.array([20, 30, -1, 50, 60]))

    imported = darkroom(
        *("import", "dataset", "faces.npy", "ages.npy", "--name", "five"), url=shared_up.url
    )
    listed = darkroom("datasets", url=shared_up.url)

    assert imported.returncode == 0, imported.stderr
    assert "five: 5 faces, 4 with an age" in imported.stderr
    rows = [line.split(maxsplit=3) for line in listed.stdout.splitlines()]
    assert rows[0][:3] == ["synthetic", "any", "any"]
    assert [imported.stdout.strip(), "5", "4", "five"] in rows


def test_a_picture_is_uploaded_and_listed(shared_up: Any, darkroom: Run, tmp_path: Path) -> None:
    Image.new("L", (48, 48), 255).save(tmp_path / "mask.png")
    Image.new("RGB", (48, 48)).save(tmp_path / "colour.png")

    imported = darkroom("import", "picture", "mask.png", url=shared_up.url)
    listed = darkroom("uploads", url=shared_up.url)
    refused = darkroom("import", "picture", "colour.png", url=shared_up.url)

    assert imported.returncode == 0, imported.stderr
    row = [imported.stdout.strip(), "48×48", "mask"]
    assert row in [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    assert refused.returncode == 1
    assert '.convert("L")' in refused.stderr
    assert "upload_rejected" in refused.stderr


def test_the_job_of_a_picture_is_submitted_again(
    shared_up: Any, darkroom: Run, checkpoint: str, tmp_path: Path
) -> None:
    params = {"checkpoint": checkpoint, "count": 1, "num_inference_steps": 2, "seed": 7}
    says = {"job": "elsewhere", "kind": "sample", "params": params}
    (tmp_path / "000.png").write_bytes(encode_png(np.zeros((48, 48), np.uint8), says))

    repeated = darkroom("repeat", "000.png", "--watch", url=shared_up.url)
    Image.new("L", (48, 48)).save(tmp_path / "001.png")
    refused = darkroom("repeat", "001.png", url=shared_up.url)

    assert repeated.returncode == 0, repeated.stderr
    assert f"job {repeated.stdout.strip()} succeeded" in repeated.stderr
    assert refused.returncode == 1
    assert "picture_rejected" in refused.stderr


def test_faces_that_are_none_are_rejected_with_what_to_do(
    shared_up: Any, darkroom: Run, tmp_path: Path
) -> None:
    np.save(tmp_path / "faces.npy", np.zeros((5, 48, 48, 3), np.uint8))

    answer = darkroom("import", "dataset", "faces.npy", url=shared_up.url)

    assert answer.returncode == 1
    assert "dataset_rejected" in answer.stderr
    assert "@ [0.299, 0.587, 0.114]" in answer.stderr


def test_workers_are_listed(shared_up: Any, darkroom: Run) -> None:
    answer = darkroom("workers", url=shared_up.url)

    assert answer.returncode == 0
    assert "cpu" in answer.stdout


@pytest.mark.parametrize("command", ["watch", "cancel", "download", "retry"])
def test_a_job_that_does_not_exist_is_a_clear_error(
    shared_up: Any, darkroom: Run, command: str
) -> None:
    answer = darkroom(command, "nothing", url=shared_up.url)

    assert answer.returncode == 1
    assert "404 job_not_found" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_wrong_parameter_is_named_with_what_is_allowed(shared_up: Any, darkroom: Run) -> None:
    answer = darkroom("submit", "sample", "--count", "0", url=shared_up.url)

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
