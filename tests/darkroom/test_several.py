"""Several jobs in one submission, from the command line of a running system."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]

NOBODY = "http://127.0.0.1:9"  # the discard port: nobody listens


def test_a_batch_is_submitted_and_all_its_jobs_are_followed(
    shared_up: Any, darkroom: Run, checkpoint: str, tmp_path: Path
) -> None:
    small = {"checkpoint": checkpoint, "count": 3, "num_inference_steps": 2}
    jobs = [
        {"label": "one", "job": {"kind": "sample", "name": "first", "params": small}},
        {"label": "two", "job": {"kind": "sample", "after": ["one"], "params": small}},
    ]
    (tmp_path / "batch.json").write_text(json.dumps({"jobs": jobs}))

    submitted = darkroom("submit", "batch", "batch.json", "--watch", url=shared_up.url)

    assert submitted.returncode == 0, submitted.stderr
    first, second = (line.split() for line in submitted.stdout.splitlines())
    assert (first[1], second[1]) == ("sample", "sample")
    assert f"[1/2] first ({first[0]})" in submitted.stderr
    assert f"[2/2] sample {second[0]}" in submitted.stderr
    assert submitted.stderr.count(" succeeded in ") == 2


def test_watching_a_job_that_was_canceled_with_its_parent_says_so(
    shared_up: Any, darkroom: Run, checkpoint: str, tmp_path: Path
) -> None:
    endless = {"checkpoint": checkpoint, "count": 5000}
    canceled = darkroom("submit", "sample", "--count", "100", url=shared_up.url).stdout.strip()
    jobs = [{"label": "one", "job": {"kind": "sample", "after": [canceled], "params": endless}}]
    (tmp_path / "batch.json").write_text(json.dumps({"jobs": jobs}))

    waiting = darkroom("submit", "batch", "batch.json", url=shared_up.url)
    job_id = waiting.stdout.split()[0]
    canceling = darkroom("cancel", canceled, url=shared_up.url)
    watched = darkroom("watch", job_id, url=shared_up.url)

    assert f"job {job_id} canceled: it waited for that one" in canceling.stderr
    assert watched.returncode == 1
    said = f"job {job_id} canceled: It waited for job {canceled} (sample), which was canceled."
    assert said in watched.stderr


def test_what_is_no_batch_is_refused(shared_up: Any, darkroom: Run, tmp_path: Path) -> None:
    (tmp_path / "batch.json").write_text("{")

    broken = darkroom("submit", "batch", "batch.json", url=shared_up.url)

    assert broken.returncode == 2
    assert "batch.json is not JSON" in broken.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dataset", "faces.npy.gz", "ages.npy"), "there is no file 'faces.npy.gz'"),
        (("--checkpoint", "unet.cpt"), "there is no file 'unet.cpt'"),
        (("--dataset", "0123456789abcdef", "ages.npy"), "--dataset FACES AGES"),
        (("ages.npy",), "--dataset FACES AGES"),
    ],
)
def test_files_of_an_assignment_that_are_not_there_are_named(
    darkroom: Run, arguments: tuple[str, ...], words: str
) -> None:
    answer = darkroom("submit", "assignment", *arguments, url=NOBODY)

    assert answer.returncode == 2
    assert words in answer.stderr


def test_files_of_an_assignment_are_imported_before_it_is_submitted(
    shared_up: Any, darkroom: Run, checkpoint_file: Path, tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    np.save(tmp_path / "faces.npy", random.integers(0, 256, (300, 48, 48), np.uint8))
    np.save(tmp_path / "ages.npy", np.full(300, 101))

    files = ("--checkpoint", str(checkpoint_file), "--dataset", "faces.npy", "ages.npy")
    answer = darkroom("submit", "assignment", *files, "--seed", "7", url=shared_up.url)

    assert answer.returncode == 1
    assert f"{checkpoint_file}: imported as checkpoint" in answer.stderr
    assert "faces.npy: imported as dataset" in answer.stderr
    assert "dataset: must be a dataset with at least 100 ages" in answer.stderr
