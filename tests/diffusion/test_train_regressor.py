"""`python -m diffusion.train_regressor`: what it leaves, how it goes on, what it refuses."""

import sys
from pathlib import Path

import pytest
import torch

from diffusion import UNet, save_checkpoint, train_regressor
from diffusion.checkpoints import load_regressor
from diffusion.training_folder import STATE
from diffusion.training_state import decode_state
from formats.description import CheckpointDescription

MADE = "age-regressor-4.safetensors"


@pytest.fixture
def predictor(tmp_path: Path) -> Path:
    """A small untrained noise predictor."""
    torch.manual_seed(0)
    path = tmp_path / "predictor.safetensors"
    save_checkpoint(path, UNet(4), CheckpointDescription("unet", 4))
    return path


def train(monkeypatch: pytest.MonkeyPatch, out: Path, checkpoint: Path, *more: str) -> None:
    words = ["--out", str(out), "--checkpoint", str(checkpoint), "--count", "60", *more]
    monkeypatch.setattr(sys, "argv", ["train_regressor", *words, "--batch-size", "8"])
    train_regressor.main()


def test_it_leaves_a_regressor_and_another_training_goes_on_from_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, predictor: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    train(monkeypatch, first, predictor, "--steps", "3")
    train(monkeypatch, second, first / MADE, "--steps", "1", "--learning-rate", "1e-9")

    made, further = load_regressor(first / MADE), load_regressor(second / MADE)
    assert made.squared_errors is not None
    assert "--out OUT" in made.description.training["command"]
    pairs = zip(made.model.parameters(), further.model.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in pairs)


def test_called_again_it_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, predictor: Path
) -> None:
    train(monkeypatch, tmp_path, predictor, "--steps", "2")
    train(monkeypatch, tmp_path, predictor, "--steps", "5")

    assert decode_state((tmp_path / STATE).read_bytes())[1]["step"] == 5


def test_a_folder_of_another_training_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, predictor: Path
) -> None:
    train(monkeypatch, tmp_path, predictor, "--steps", "1")

    with pytest.raises(SystemExit, match="of another training: seed is 0 there and 1 here"):
        train(monkeypatch, tmp_path, predictor, "--steps", "2", "--seed", "1")


def test_faces_need_their_ages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, predictor: Path
) -> None:
    with pytest.raises(SystemExit) as ended:
        train(monkeypatch, tmp_path, predictor, "--steps", "1", "--faces", "faces.npy")
    assert ended.value.code == 2
