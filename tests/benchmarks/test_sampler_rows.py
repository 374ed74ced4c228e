"""Rows of the samplers' benchmark go on where they were broken off."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.sampler_rows import ROWS, Row, RowSampler
from diffusion import DataPrior, UNet, save_checkpoint
from formats.checkpoint import CheckpointDescription

ROW = Row("dpmpp_2m", 3, "logsnr", "data")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    prior = DataPrior(torch.zeros(48, 48), torch.full((1, 48, 48), 1 / 48), torch.tensor([9.0]))
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, UNet(2), CheckpointDescription("unet", 2), prior=prior)
    return path


def sampler(checkpoint: Path, folder: Path, batch: int) -> RowSampler:
    return RowSampler(checkpoint, folder, seed=1, batch=batch, device="cpu", dtype=torch.float32)


def test_a_row_broken_off_ends_with_the_faces_of_an_undisturbed_one(
    checkpoint: Path, tmp_path: Path
) -> None:
    whole = sampler(checkpoint, tmp_path / "a", 7).sample(ROW, 7)

    sampler(checkpoint, tmp_path / "b", 2).sample(ROW, 3)
    resumed = sampler(checkpoint, tmp_path / "b", 3).sample(ROW, 7)
    again = sampler(checkpoint, tmp_path / "b", 3).sample(ROW, 5)

    assert whole.faces.shape == (7, 48, 48)
    assert np.abs(whole.faces.astype(int) - resumed.faces).max() <= 1  # float32, other batches
    np.testing.assert_array_equal(again.faces, resumed.faces[:5])
    assert whole.seconds_per_face > 0
    assert again.seconds_per_face == resumed.seconds_per_face


def test_the_priors_are_two_rows_of_different_faces(checkpoint: Path, tmp_path: Path) -> None:
    rows = sampler(checkpoint, tmp_path, 4)

    of_data = rows.sample(ROW, 4).faces.mean(axis=(1, 2))
    of_noise = rows.sample(Row("dpmpp_2m", 3, "logsnr", "standard"), 4).faces.mean(axis=(1, 2))

    assert np.abs(of_data - of_noise).max() > 1


def test_a_checkpoint_without_a_prior_has_no_such_row(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.safetensors", UNet(2), CheckpointDescription("unet", 2))

    with pytest.raises(ValueError, match="has no data prior"):
        sampler(tmp_path / "c.safetensors", tmp_path, 4).sample(ROW, 4)


def test_rows_are_named_after_what_they_do() -> None:
    assert {"ddpm-1000-logsnr-standard", "dpmpp_2m-20-trailing-data"} <= ROWS.keys()
    assert len(ROWS) == len({(r.sampler, r.steps, r.timesteps, r.prior) for r in ROWS.values()})
