"""Repainting: the known part stays, and the rest goes with it as the data do."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diffusion import GaussianProcess, Purpose, SampleStep, UNet, linear_betas, noise, plan, sample
from diffusion.merge import Pairs, left_right, merged_start
from diffusion.repaint import Jumps, repaint, visit_plan
from formats.faces import from_unit_range, to_unit_range

BETAS = linear_betas()
ABAR = GaussianProcess(BETAS).alphas_cumprod
SEED = 6


def random_pairs(count: int, mask: Tensor | None = None) -> Pairs:
    gray = np.random.default_rng(1).integers(0, 256, (2, count, 48, 48), np.uint8)
    first, second = (torch.from_numpy(to_unit_range(each))[:, None] for each in gray)
    return Pairs(first, second, left_right() if mask is None else mask, range(count))


def walk(model: Any, pairs: Pairs, *, steps: int = 6, jumps: Jumps | None = None) -> list[Any]:
    table = plan("ddpm", BETAS, steps, start_t=599)
    start = SampleStep(0, merged_start(pairs, 600, BETAS, SEED))
    return list(repaint(model, table, SEED, pairs, jumps or Jumps(2, 3), start))


@pytest.mark.parametrize(
    ("steps", "jumps", "visits"),
    [
        (250, Jumps(10, 10), 2410),  # the paper's, by its section 4.2 and appendix
        (100, Jumps(10, 10), 910),
        (50, Jumps(5, 3), 140),
        (50, Jumps(1, 2), 99),
        (7, Jumps(10, 5), 7),
        (10, Jumps(10, 5), 10),
        (1, Jumps(1, 5), 1),
        (30, Jumps(10, 1), 30),
    ],
)
def test_the_way_is_as_long_as_the_paper_counts(steps: int, jumps: Jumps, visits: int) -> None:
    way = visit_plan(steps, jumps)

    assert len(way) == visits
    rest = max(0, steps - jumps.length)
    places = math.ceil(rest / jumps.length)
    assert visits == steps + (jumps.resamplings - 1) * jumps.length * places


def test_the_way_is_unbroken_and_jumps_by_their_length() -> None:
    way = visit_plan(40, Jumps(6, 4))

    assert way[0].row == 0
    assert way[-1].next_row == 40
    assert [visit.row for visit in way[1:]] == [visit.next_row for visit in way[:-1]]
    back = [visit.row + 1 - visit.next_row for visit in way if visit.next_row <= visit.row]
    assert set(back) == {6}
    remaining = {40 - visit.row - 1 for visit in way if visit.next_row <= visit.row}
    assert remaining == {1, 7, 13, 19, 25, 31}


def test_the_known_half_comes_out_to_the_gray_level(unet: Callable[[int], UNet]) -> None:
    pairs = random_pairs(2)

    last = walk(unet(4), pairs)[-1].z

    assert torch.equal(last[..., :24], pairs.first[..., :24])
    gray, known = (from_unit_range(x[:, 0].numpy()) for x in (last, pairs.first))
    assert np.array_equal(gray[..., :24], known[..., :24])
    assert not torch.equal(last[..., 24:], pairs.first[..., 24:])


@pytest.mark.parametrize("stop", [1, 2, 5, 9, 13])
def test_going_on_from_a_middle_visit_equals_the_undisturbed_run(
    unet: Callable[[int], UNet], stop: int
) -> None:
    model, pairs, jumps = unet(4), random_pairs(2), Jumps(2, 3)
    whole = walk(model, pairs, jumps=jumps)

    table = plan("ddpm", BETAS, 6, start_t=599)
    rest = list(repaint(model, table, SEED, pairs, jumps, whole[stop - 1]))

    assert [step.step for step in rest] == list(range(stop + 1, 15))
    for found, expected in zip(rest, whole[stop:], strict=True):
        assert torch.equal(found.z, expected.z)


def test_a_pair_is_the_same_bytes_alone_and_in_company() -> None:
    def pixelwise(z: Tensor, t: Tensor) -> Tensor:
        return 0.9 * z

    pairs = random_pairs(3)
    alone = Pairs(pairs.first[1:2], pairs.second[1:2], pairs.mask, [1])

    assert torch.equal(walk(pixelwise, alone)[-1].z[0], walk(pixelwise, pairs)[-1].z[1])


def test_without_jumps_and_mask_it_is_plain_sampling(
    unet: Callable[[int], UNet],
) -> None:
    model, pairs = unet(4), random_pairs(1, torch.zeros(48, 48))
    table = plan("ddpm", BETAS, 6, start_t=599)
    start = SampleStep(0, merged_start(pairs, 600, BETAS, SEED))

    repainted = walk(model, pairs, jumps=Jumps(2, 1))

    for found, expected in zip(
        repainted, sample(model, table, SEED, [0], start=start), strict=True
    ):
        assert torch.equal(found.z, expected.z)


CORRELATION = 0.8


def linked_eps(z: Tensor, t: Tensor) -> Tensor:
    """The best guess of eps where two pixels are normal with a correlation of 0.8."""
    abar = ABAR[t].reshape(-1, 1)
    # In the directions (1, 1) and (1, −1) they are independent, of variances 1.8 and 0.2.
    even, odd = (z[:, 0, 0, 0] + z[:, 0, 0, 1]) / 2, (z[:, 0, 0, 0] - z[:, 0, 0, 1]) / 2
    parts = []
    for part, variance in ((even, 1 + CORRELATION), (odd, 1 - CORRELATION)):
        parts.append((1 - abar[:, 0]).sqrt() * part / (abar[:, 0] * variance + 1 - abar[:, 0]))
    return torch.stack([parts[0] + parts[1], parts[0] - parts[1]], dim=1)[:, None, None]


def slope_after(resamplings: int) -> tuple[float, float]:
    """Slope and residual deviation of the repainted pixel on the known one."""
    count = 1500
    first = noise(1, range(count), 0, (1, 1, 2), Purpose.PRIOR, dtype=torch.float64)
    pairs = Pairs(first, torch.zeros_like(first), torch.tensor([[1.0, 0.0]]), range(count))
    table = plan("ddpm", BETAS, 50, start_t=999)
    start = SampleStep(0, merged_start(pairs, 1000, BETAS, SEED))
    *_, last = repaint(linked_eps, table, SEED, pairs, Jumps(5, resamplings), start)
    known, drawn = last.z[:, 0, 0, 0], last.z[:, 0, 0, 1]
    assert torch.equal(known, first[:, 0, 0, 0])
    slope = (known * drawn).mean() / known.square().mean()
    return slope.item(), (drawn - slope * known).std().item()


def test_resampling_brings_the_rest_to_go_with_the_known_part_as_the_data_do() -> None:
    (plain, _), (often, residual) = slope_after(resamplings=1), slope_after(resamplings=6)

    assert plain < 0.6
    assert CORRELATION - 0.13 < often < CORRELATION + 0.03
    assert residual == pytest.approx(math.sqrt(1 - CORRELATION**2), abs=0.06)


def test_a_plan_that_looks_back_is_refused() -> None:
    table = plan("dpmpp_2m", BETAS, 6, start_t=599)
    start = SampleStep(0, torch.zeros(1, 1, 48, 48))

    with pytest.raises(ValueError, match="cannot be repainted with"):
        next(repaint(lambda z, t: z, table, SEED, random_pairs(1), Jumps(), start))


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0)])
def test_jumps_below_one_are_refused(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1, not 0"):
        Jumps(*numbers)
