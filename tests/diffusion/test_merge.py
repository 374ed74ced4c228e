"""Merging with networks whose right answer is known: no snapshots, only truth."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diffusion import (
    GaussianProcess,
    Plan,
    Purpose,
    SampleStep,
    UNet,
    linear_betas,
    noise,
    plan,
    sample,
)
from diffusion.merge import (
    Pairs,
    left_right,
    mask_of_gray,
    merged_start,
    steps_from,
    top_bottom,
)
from formats.faces import from_unit_range, to_unit_range

BETAS = linear_betas()
ABAR = GaussianProcess(BETAS).alphas_cumprod
MEAN, DEVIATION = 0.2, 0.3
SEED = 4


def faces(count: int, seed: int, size: int = 48) -> Tensor:
    """Pictures whose pixels are N(0.2, 0.3²), float64 (count, 1, size, size)."""
    normals = noise(seed, range(count), 0, (1, size, size), Purpose.PRIOR, dtype=torch.float64)
    return MEAN + DEVIATION * normals


def pairs_of(count: int, mask: Tensor | None = None, size: int = 48) -> Pairs:
    mask = left_right() if mask is None else mask
    return Pairs(faces(count, 1, size), faces(count, 2, size), mask, range(count))


def gaussian_eps(z: Tensor, t: Tensor) -> Tensor:
    """The best guess of eps where every pixel is N(0.2, 0.3²)."""
    abar = ABAR[t].reshape(-1, 1, 1, 1)
    variance = abar * DEVIATION**2 + 1 - abar
    return ((1 - abar).sqrt() * (z - abar.sqrt() * MEAN) / variance).to(z.dtype)


def gain_of(table: Plan) -> float:
    """How much of z_t the perfect network's samples keep, carried through the table."""
    gain = 1.0
    for row in range(len(table)):
        abar = ABAR[table.timesteps[row]].item()
        slope = math.sqrt(1 - abar) / (abar * DEVIATION**2 + 1 - abar)
        p, q, a, b = (getattr(table, name)[row].item() for name in ("p", "q", "a", "b"))
        gain *= a + b * (p - q * slope)
    return gain


def merge(model: Any, pairs: Pairs, t: int, table: Plan) -> Tensor:
    z_t = merged_start(pairs, t, BETAS, SEED)
    *_, last = sample(model, table, SEED, pairs.indices, start=SampleStep(0, z_t))
    return last.z


def test_the_named_masks_take_a_half_of_the_first_face() -> None:
    assert left_right()[:, :24].eq(1).all()
    assert left_right()[:, 24:].eq(0).all()
    assert torch.equal(top_bottom(), left_right().T)


def test_a_drawn_masks_white_is_one_and_its_gray_a_share() -> None:
    gray = np.zeros((48, 48), np.uint8)
    gray[0, :3] = 255, 51, 1

    mask = mask_of_gray(gray)

    assert mask[0, :4].tolist() == [1, 0.2, 1 / 255, 0]


@pytest.mark.parametrize("gray", [np.zeros((48, 47), np.uint8), np.zeros((48, 48))])
def test_a_mask_of_another_shape_or_dtype_is_refused(gray: Any) -> None:
    with pytest.raises(ValueError, match=r"must be uint8 \(48, 48\)"):
        mask_of_gray(gray)


@pytest.mark.parametrize("t", [1, 300, 1000])
def test_each_half_of_the_start_is_its_own_face_under_the_noise_of_both(t: int) -> None:
    pairs = pairs_of(3)
    eps = noise(SEED, range(3), 0, (1, 48, 48), Purpose.START, dtype=torch.float64)
    signal, spread = ABAR[t - 1].sqrt(), (1 - ABAR[t - 1]).sqrt()

    z_t = merged_start(pairs, t, BETAS, SEED)

    joined = torch.cat([pairs.first[..., :24], pairs.second[..., 24:]], dim=3)
    torch.testing.assert_close(z_t, signal * joined + spread * eps, rtol=0, atol=1e-14)


def test_the_start_is_linear_in_a_soft_mask() -> None:
    mask = torch.linspace(0, 1, 48, dtype=torch.float64).expand(48, 48)
    first, second = (merged_start(pairs_of(2, m), 400, BETAS, SEED) for m in (mask**0, 0 * mask))

    soft = merged_start(pairs_of(2, mask), 400, BETAS, SEED)

    torch.testing.assert_close(soft, mask * first + (1 - mask) * second, rtol=0, atol=1e-14)


def test_a_pair_keeps_its_noise_at_every_t() -> None:
    pairs = pairs_of(2)

    def noise_at(t: int) -> Tensor:
        joined = pairs.join(pairs.first, pairs.second)
        z_t = merged_start(pairs, t, BETAS, SEED)
        return (z_t - ABAR[t - 1].sqrt() * joined) / (1 - ABAR[t - 1]).sqrt()

    torch.testing.assert_close(noise_at(20), noise_at(900), rtol=0, atol=1e-11)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpmpp_2m"])
def test_little_noise_leaves_both_halves_as_they_were(sampler: Any) -> None:
    pairs = pairs_of(2)

    merged = merge(gaussian_eps, pairs, 2, plan(sampler, BETAS, 2, start_t=1))

    joined = pairs.join(pairs.first, pairs.second)
    assert (merged - joined).std() < 0.03  # the noise at t = 2 has a deviation of 0.014


@pytest.mark.parametrize("t", [50, 300, 700])
def test_perfect_merges_follow_the_law_of_the_faces_and_keep_of_each_what_t_leaves(t: int) -> None:
    pairs = pairs_of(8, left_right()[12:36, 12:36], size=24)
    table = plan("ddpm", BETAS, t, start_t=t - 1)

    merged = merge(gaussian_eps, pairs, t, table)

    count = merged.numel()
    assert merged.mean().item() == pytest.approx(MEAN, abs=4 * DEVIATION / math.sqrt(count))
    assert merged.std().item() == pytest.approx(DEVIATION, rel=0.01 + 4 / math.sqrt(2 * count))
    kept = gain_of(table) * ABAR[t - 1].sqrt().item()
    for half, source in ((slice(0, 12), pairs.first), (slice(12, 24), pairs.second)):
        centred, of_source = merged[..., half] - MEAN, source[..., half] - MEAN
        slope = (centred * of_source).mean() / of_source.square().mean()
        assert slope.item() == pytest.approx(kept, abs=4 / math.sqrt(count / 2))


def test_a_merge_is_the_same_bytes_alone_and_in_company(unet: Callable[[int], UNet]) -> None:
    model = unet(4)
    whole = Pairs(faces(3, 1).float(), faces(3, 2).float(), left_right(), [0, 1, 2])
    alone = Pairs(whole.first[2:], whole.second[2:], whole.mask, [2])
    table = plan("ddpm", BETAS, 6, start_t=499)

    def one_by_one(z: Tensor, t: Tensor) -> Tensor:  # float32 convolutions see the batch's size
        with torch.no_grad():
            return torch.cat([model(z[i : i + 1], t[i : i + 1]) for i in range(len(z))])

    together = merge(one_by_one, whole, 500, table)

    assert torch.equal(merge(one_by_one, alone, 500, table)[0], together[2])


@pytest.mark.parametrize(
    ("t", "steps", "expected"),
    [(1000, 1000, 1000), (300, 1000, 300), (300, 250, 75), (50, 10, 1), (1, 1, 1), (350, 10, 4)],
)
def test_from_t_the_share_of_the_steps_is_taken(t: int, steps: int, expected: int) -> None:
    assert steps_from(t, steps, 1000) == expected


def test_there_is_never_a_step_more_than_there_are_timesteps() -> None:
    counts = [(t, steps_from(t, n, 1000)) for t in range(1, 1001) for n in (1, 3, 250, 999, 1000)]

    assert all(1 <= steps <= t for t, steps in counts)


@pytest.mark.parametrize("t", [0, 1001])
def test_a_timestep_outside_the_schedule_is_refused(t: int) -> None:
    with pytest.raises(ValueError, match=f"t must be within 1 and 1000, not {t}"):
        merged_start(pairs_of(1), t, BETAS, SEED)


ONE = torch.zeros(1, 1, 4, 4)
GOOD_PAIRS = {"first": ONE, "second": ONE, "mask": ONE[0, 0], "indices": [0]}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"second": torch.zeros(2, 1, 4, 4)}, "must have one shape"),
        ({"mask": torch.zeros(4, 5)}, "the mask must have"),
        ({"indices": [0, 1]}, "1 pairs have 2 indices"),
    ],
)
def test_parts_of_pairs_that_do_not_belong_together_are_refused(
    parts: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Pairs(**(GOOD_PAIRS | parts))


def test_a_face_merged_with_itself_starts_as_that_face_noised() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (1, 48, 48), np.uint8)
    x = torch.from_numpy(to_unit_range(gray))[:, None]
    pairs = Pairs(x, x, left_right(), [0])

    joined = pairs.join(pairs.first, pairs.second)

    assert np.array_equal(from_unit_range(joined[:, 0].numpy()), gray)
