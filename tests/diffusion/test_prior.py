"""The data prior: fitted exactly, and drawn from by the right law."""

import math

import numpy as np
import pytest
import torch

from benchmarks.exact_accuracy import ABAR, ideal_eps
from diffusion import (
    DataPrior,
    GaussianProcess,
    Purpose,
    SampleStep,
    fit_prior,
    linear_betas,
    noise,
    plan,
    sample,
    start_noise,
)

SIZE = 12
BETAS = linear_betas()


@pytest.fixture(scope="module")
def small_faces() -> np.ndarray:
    """Pictures of 12×12 that differ in brightness, in slope and in detail, in this order."""
    random = np.random.default_rng(5)
    ramp = np.linspace(-1, 1, SIZE)
    pictures = (
        110
        + 30 * random.normal(size=(300, 1, 1))
        + 25 * random.normal(size=(300, 1, 1)) * ramp
        + 15 * random.normal(size=(300, 1, 1)) * ramp[:, None]
        + 6 * random.normal(size=(300, SIZE, SIZE))
    )
    return pictures.clip(0, 255).astype(np.uint8)


def test_a_fitted_prior_is_the_principal_components_of_the_faces(small_faces: np.ndarray) -> None:
    prior = fit_prior(small_faces, 10)

    rows = small_faces.reshape(300, -1) / 127.5 - 1
    centred = rows - rows.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)  # another way there
    components = prior.components.reshape(10, -1).double().numpy()
    np.testing.assert_allclose(prior.mean.flatten(), rows.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(prior.deviations, singular[:10] / math.sqrt(300), rtol=1e-5)
    np.testing.assert_allclose(np.abs(np.sum(components * directions[:10], axis=1)), 1, atol=1e-5)
    np.testing.assert_allclose(components @ components.T, np.eye(10), atol=1e-6)
    largest = components[np.arange(10), np.abs(components).argmax(axis=1)]
    assert (largest > 0).all()


def test_order_and_chunks_do_not_matter(
    small_faces: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit_prior(small_faces)
    monkeypatch.setattr("diffusion.prior.CHUNK", 37)
    chunked = fit_prior(small_faces[::-1])

    for name in ("mean", "components", "deviations"):
        assert torch.equal(getattr(whole, name), getattr(chunked, name)), name


def test_fewer_faces_than_pixels_have_the_same_components(
    small_faces: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = small_faces[: SIZE * SIZE // 2]
    small = fit_prior(few)
    monkeypatch.setattr("diffusion.prior.LEAST_SHARE", math.inf)  # never by the smaller matrix

    large = fit_prior(few)

    assert torch.allclose(small.components, large.components, atol=1e-6)
    assert torch.allclose(small.deviations, large.deviations, rtol=1e-6)


def test_one_face_has_a_mean_and_no_spread(small_faces: np.ndarray) -> None:
    prior = fit_prior(small_faces[:1], 3)

    np.testing.assert_allclose(prior.mean, small_faces[0] / 127.5 - 1, atol=1e-6)
    assert prior.deviations.max() < 1e-3


@pytest.mark.parametrize(
    ("faces", "count", "message"),
    [
        (np.zeros((5, 4, 4)), 2, "must be uint8"),
        (np.zeros((5, 16), np.uint8), 2, r"\(N, H, W\), not uint8 \(5, 16\)"),
        (np.zeros((0, 4, 4), np.uint8), 2, "must be uint8"),
        (np.zeros((5, 4, 4), np.uint8), 0, "count must be within 1 and 16, not 0"),
        (np.zeros((5, 4, 4), np.uint8), 17, "count must be within 1 and 16, not 17"),
    ],
)
def test_what_is_no_set_of_faces_has_no_prior(faces: np.ndarray, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_prior(faces, count)


def test_without_a_prior_the_start_is_pure_noise_as_ever() -> None:
    found = start_noise(None, BETAS, 7, [3, 8])

    assert torch.equal(found, noise(7, [3, 8], 0, (1, 48, 48), Purpose.START))
    assert found.dtype == torch.float32


def test_the_start_has_the_law_of_noised_data(small_faces: np.ndarray) -> None:
    prior = fit_prior(small_faces, 4)
    count, shape = 4000, (1, SIZE, SIZE)

    z = start_noise(prior, BETAS, 1, range(count), shape=shape, dtype=torch.float64)

    abar = ABAR[-1].item()
    along = z.flatten(1) @ prior.components.flatten(1).double().T  # (count, 4)
    means = math.sqrt(abar) * prior.components.flatten(1).double() @ prior.mean.flatten().double()
    variances = abar * prior.deviations.double() ** 2 + 1 - abar
    assert variances[0] > 1.02  # the data show
    error = (variances / count).sqrt()
    assert bool(((along.mean(dim=0) - means).abs() < 4 * error).all())
    found = torch.cov(along.T)
    spread = variances * math.sqrt(2 / count)
    assert bool(((found.diagonal() - variances).abs() < 4 * spread).all())
    assert (found - found.diagonal().diag()).abs().max() < 4 * variances[0] / math.sqrt(count)
    # Across all other directions it is the noise alone.
    others = z.flatten(1) - z.flatten(1).mean(dim=0)
    others = (
        others
        - others @ prior.components.flatten(1).double().T @ prior.components.flatten(1).double()
    )
    free = SIZE**2 - 4
    total = others.square().sum(dim=1).mean().item()
    assert total == pytest.approx((1 - abar) * free, abs=4 * math.sqrt(2 * free / count))


def test_xi_is_not_the_noise_of_anything_else(small_faces: np.ndarray) -> None:
    prior = fit_prior(small_faces, 4)
    certain = DataPrior(prior.mean, prior.components, 0 * prior.deviations)
    shape, abar = (1, SIZE, SIZE), ABAR[-1].item()

    moved = start_noise(prior, BETAS, 1, [6], shape=shape, dtype=torch.float64)
    at_rest = start_noise(certain, BETAS, 1, [6], shape=shape, dtype=torch.float64)

    xi = noise(1, [6], 0, (4,), Purpose.PRIOR, dtype=torch.float64)
    eps = noise(1, [6], 0, shape, Purpose.START, dtype=torch.float64)
    expected = torch.einsum(
        "nk,k,khw->nhw", xi, prior.deviations.double(), prior.components.double()
    )
    torch.testing.assert_close(moved - at_rest, math.sqrt(abar) * expected[:, None])
    mean = math.sqrt(abar) * prior.mean.double()
    torch.testing.assert_close(at_rest, mean + math.sqrt(1 - abar) * eps)


def test_the_start_of_an_image_does_not_depend_on_its_company(small_faces: np.ndarray) -> None:
    prior, shape = fit_prior(small_faces), (1, SIZE, SIZE)

    together = start_noise(prior, BETAS, 2**63, range(9), shape=shape)

    assert together.dtype == torch.float32
    for index in (0, 5, 8):
        alone = start_noise(prior, BETAS, 2**63, [index], shape=shape)
        assert torch.equal(alone[0], together[index])


def test_a_prior_of_other_pictures_is_refused(small_faces: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"pictures \(12, 12\), but \(48, 48\) are asked"):
        start_noise(fit_prior(small_faces), BETAS, 0, [0])


def test_samples_of_a_perfect_network_get_back_the_brightness_of_the_data() -> None:
    # White pictures of one random brightness each: the mode (1, …, 1)/4 of 4×4, deviation 12.
    direction = torch.full((1, 4, 4), 0.25)
    prior = DataPrior(torch.full((4, 4), 0.0), direction, torch.tensor([12.0]))
    flat = direction.double()

    def perfect(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        along = (z * flat).sum(dim=(2, 3), keepdim=True) * flat
        sure = torch.tensor(0.0, dtype=torch.float64)
        return ideal_eps(along, t, torch.tensor(12.0).double()) + ideal_eps(z - along, t, sure)

    def brightness_deviation(prior: DataPrior | None) -> float:
        z = start_noise(prior, BETAS, 4, range(4000), shape=(1, 4, 4), dtype=torch.float64)
        *_, final = sample(
            perfect, plan("dpmpp_2m", BETAS, 20), 4, range(4000), start=SampleStep(0, z)
        )
        return (final.z * flat).sum(dim=(1, 2, 3)).std().item()

    error = 4 / math.sqrt(2 * 4000)
    assert brightness_deviation(prior) == pytest.approx(12, rel=error)
    assert brightness_deviation(None) == pytest.approx(0.725 * 12, rel=error)


def test_the_prior_is_of_the_networks_own_schedule(small_faces: np.ndarray) -> None:
    prior, shape = fit_prior(small_faces), (1, SIZE, SIZE)
    betas = linear_betas(1000, 1e-4, 0.02)  # ends at abar = 4e-5: hardly anything of the data

    z = start_noise(prior, betas, 1, [0], shape=shape, dtype=torch.float64)

    eps = noise(1, [0], 0, shape, Purpose.START, dtype=torch.float64)
    abar = GaussianProcess(betas).alphas_cumprod[-1].item()
    largest = math.sqrt(abar) * (1 + 5 * prior.deviations.sum().item())
    assert 0 < (z - math.sqrt(1 - abar) * eps).abs().max() < largest
