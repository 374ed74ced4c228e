"""The command that trains: its files, going on after a stop, what the checkpoint tells."""

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffusion import load_checkpoint, train, training_folder
from diffusion.prior import DataPrior, fit_prior
from diffusion.training import Training
from diffusion.training_folder import LOSSES, STATE
from diffusion.training_state import decode_state
from formats.pictures import decode_png, read_png_parameters

Faces = Callable[..., NDArray[np.uint8]]
Run = Callable[..., Path]

LARGE_STEPS = ("--steps", "2", "--learning-rate", "0.1")
CHECKPOINT = "noise-predictor-2.safetensors"


@pytest.fixture(scope="module")
def prior() -> DataPrior:
    """Fitted once: that takes as long as all of the rest."""
    random = np.random.default_rng(0)
    return fit_prior(random.integers(0, 256, (24, 48, 48), np.uint8))


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wavy_faces: Faces, prior: DataPrior
) -> Run:
    """Runs the command in a folder, on a file of 48×48 faces, and gives the folder."""
    np.save(tmp_path / "faces.npy", wavy_faces(24, size=48))
    monkeypatch.setattr(train, "fit_prior", lambda faces: prior)
    monkeypatch.setattr(training_folder, "SAVE_SECONDS", 0)  # after each step

    def call(folder: str, *words: str) -> Path:
        options = ["--faces", str(tmp_path / "faces.npy"), "--batch-size", "8", *words]
        monkeypatch.setattr("sys.argv", ["train", "--out", str(tmp_path / folder), *options])
        train.main()
        return tmp_path / folder

    return call


def test_a_killed_command_goes_on_where_it_was(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--width", "2", "--steps", "4"]
    undisturbed = run("undisturbed", *words)
    advance = Training.advance

    def killed(training: Training) -> float:
        if training.step == 2:
            raise KeyboardInterrupt
        return advance(training)

    monkeypatch.setattr(Training, "advance", killed)
    with pytest.raises(KeyboardInterrupt):
        run("stopped", *words)
    monkeypatch.setattr(Training, "advance", advance)
    assert decode_state((tmp_path / "stopped" / STATE).read_bytes())[1]["step"] == 2

    resumed = run("stopped", *words)

    found, expected = (
        decode_state((folder / STATE).read_bytes())[0] for folder in (resumed, undisturbed)
    )
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert (resumed / LOSSES).read_bytes() == (undisturbed / LOSSES).read_bytes()
    assert (resumed / "faces-0000004.png").read_bytes() == (
        undisturbed / "faces-0000004.png"
    ).read_bytes()


def test_the_command_leaves_a_checkpoint_losses_and_a_sheet(run: Run, tmp_path: Path) -> None:
    out = run("out", "--width", "2", "--images", "24")

    assert sorted(path.name for path in out.iterdir()) == [
        "faces-0000003.png",
        "losses.csv",
        CHECKPOINT,
        "state.safetensors",
    ]
    checkpoint = load_checkpoint(out / CHECKPOINT)
    described = checkpoint.description
    sha256 = hashlib.sha256(np.load(tmp_path / "faces.npy").tobytes()).hexdigest()
    assert described.dataset == f"faces.npy, sha256 {sha256}"
    assert described.training["images_seen"] == 24
    assert described.training["principal_components"] == 16
    assert checkpoint.prior is not None
    assert len(checkpoint.prior.components) == 16
    assert described.training["command"].startswith("python -m diffusion.train --out OUT")
    assert "--images 24 --width 2 --faces faces.npy" in described.training["command"]
    assert str(tmp_path) not in json.dumps(described.to_json())
    content = (out / "faces-0000003.png").read_bytes()
    assert decode_png(content).shape == (384, 384)
    assert read_png_parameters(content) == {"step": 3, "seed": 2024, "num_inference_steps": 20}
    rows = list(csv.DictReader((out / "losses.csv").read_text().splitlines()))
    assert [row["images"] for row in rows if row["curve"] == "loss"] == ["8", "16", "24"]
    assert [row["steps"] for row in rows if row["curve"] == "held_out_loss"] == ["1", "2", "3"]


def test_the_command_goes_on_from_another_checkpoint(run: Run, tmp_path: Path) -> None:
    first = run("first", "--width", "2", "--steps", "1")
    second = run("second", "--initial", str(first / CHECKPOINT), *LARGE_STEPS)

    start, tuned = (load_checkpoint(folder / CHECKPOINT) for folder in (first, second))
    assert tuned.model.width == 2
    assert tuned.description.training["initial_sha256"] is not None
    assert f"--initial {CHECKPOINT}" in tuned.description.training["command"]
    assert not torch.equal(start.model.conv_last.weight, tuned.model.conv_last.weight)


def test_a_folder_of_another_training_is_refused_in_words(run: Run) -> None:
    run("out", "--width", "2", "--steps", "1")

    with pytest.raises(SystemExit, match="of another training: seed is 0 there and 5 here"):
        run("out", "--width", "2", "--steps", "1", "--seed", "5")


def test_there_is_one_limit(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("out", "--steps", "1", "--minutes", "1")
    assert "not allowed with argument" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("out")
    assert "one of the arguments --minutes --steps --images is required" in capsys.readouterr().err
