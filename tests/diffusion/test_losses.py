"""The error of eps by tenth of the timesteps."""

import numpy as np
import pytest
import torch

from diffusion import GaussianProcess, linear_betas
from diffusion.metrics.losses import BATCH, eps_errors
from formats.faces import to_unit_range

BETAS = linear_betas()
FACES = np.random.default_rng(1).integers(0, 256, (BATCH + 5, 48, 48), np.uint8)


def errors(predict, tenth: int, seed: int = 0, faces: np.ndarray = FACES) -> np.ndarray:
    return np.concatenate(list(eps_errors(predict, BETAS, faces, tenth, seed)))


def nothing(z_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(z_t)


def test_a_network_that_knows_the_face_makes_no_error():
    face = np.full((1, 48, 48), 200, np.uint8)
    x_0 = torch.from_numpy(to_unit_range(face))[:, None].double()
    abar = GaussianProcess(BETAS).alphas_cumprod

    def know(z_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        of_t = abar[t].reshape(-1, 1, 1, 1)
        return ((z_t.double() - of_t.sqrt() * x_0) / (1 - of_t).sqrt()).float()

    for tenth in (0, 5, 9):
        assert errors(know, tenth, faces=np.repeat(face, 40, axis=0)).max() < 1e-8


def test_a_network_that_says_nothing_errs_by_the_variance_of_noise():
    found = errors(nothing, 3)

    assert found.shape == (len(FACES),)
    assert found.dtype == np.float64
    assert found.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / (len(FACES) * 48 * 48)))


@pytest.mark.parametrize("tenth", [0, 4, 9])
def test_every_part_of_the_tenth_is_visited(tenth):
    visited = []

    def note(z_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        visited.extend(t.tolist())
        return z_t

    errors(note, tenth)

    assert all(100 * tenth <= t < 100 * (tenth + 1) for t in visited)
    aims = 100 * (tenth + (np.arange(len(FACES)) + 0.5) / len(FACES))
    assert np.abs(np.array(visited) + 0.5 - aims).max() <= 50 / len(FACES) + 0.5


def test_the_same_seed_gives_the_same_noise_and_another_does_not():
    assert np.array_equal(errors(nothing, 2, seed=7), errors(nothing, 2, seed=7))
    assert not np.array_equal(errors(nothing, 2, seed=7), errors(nothing, 2, seed=8))
    assert not np.array_equal(errors(nothing, 2), errors(nothing, 3))


@pytest.mark.parametrize("tenth", [-1, 10])
def test_there_are_ten_tenths(tenth):
    with pytest.raises(ValueError, match="tenth must be within 0 and 9"):
        errors(nothing, tenth)
