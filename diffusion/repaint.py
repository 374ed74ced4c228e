"""RePaint: the first face is known where the mask is; the rest is sampled to go with it.

After each step the known part is put back, at that step's noise. Going back some steps now and
then, and down again, lets the rest adapt to what it was joined with.

Source: Lugmayr et al. 2022 (RePaint, arXiv:2201.09865), algorithm 1 and section 4.2.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion.device_noise import noise_maker
from diffusion.merge import Pairs
from diffusion.noise import Purpose
from diffusion.plan import Plan
from diffusion.sampling import NoisePredictor, SampleStep, sample


@dataclass(frozen=True)
class Jumps:
    """How often repainting goes back.

    Attributes:
        length: steps of a jump, at least 1; so many lie between two places of jumps.
        resamplings: passes over each stretch, at least 1; 1 is no jump at all.
    """

    length: int = 10
    resamplings: int = 3

    def __post_init__(self) -> None:
        """Check the range.

        Raises:
            ValueError: a number is below 1.
        """
        for name in ("length", "resamplings"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


class Visit(NamedTuple):
    """One step of a plan, and where it leads.

    Attributes:
        row: of the plan.
        next_row: that comes next: row + 1, or after a jump an earlier one.
    """

    row: int
    next_row: int


def visit_plan(steps: int, jumps: Jumps) -> list[Visit]:
    """The way through a plan of so many steps, jumps included.

    A jump goes back where 1, 1 + length, 1 + 2·length … steps remain, if so many were taken, and
    as often as there are resamplings but one. Together these are
    steps + (resamplings − 1)·length·⌈(steps − length) / length⌉ visits, where steps > length.
    """
    visits = []
    jumped: dict[int, int] = {}
    row = 0
    while row < steps:
        following = row + 1
        remaining = steps - following
        is_place = remaining % jumps.length == 1 % jumps.length and remaining >= 1
        if is_place and following >= jumps.length:
            times = jumped.get(following, 0)
            if times < jumps.resamplings - 1:
                jumped[following] = times + 1
                following -= jumps.length
        visits.append(Visit(row, following))
        row = following
    return visits


def repaint(
    model: NoisePredictor,
    plan: Plan,
    seed: int,
    pairs: Pairs,
    jumps: Jumps,
    start: SampleStep,
) -> Iterator[SampleStep]:
    """Repaint faces visit by visit; a pair depends on the seed and its index, not on its company.

    As of `sample`: stopping is not asking for more, going on is passing an earlier step. At the
    end what the mask takes whole of the first face is that face to the last bit. Between 0 and 1
    known and sampled z are mixed by their weights; as their noises are independent, such a pixel
    has less noise than the network expects: soft edges should be narrow.

    Args:
        model: the noise predictor.
        plan: the sampler's table from t on; it may not look at the step before, since jumps make
            that another one.
        seed: of all noise, within 0 and 2**64 − 1.
        pairs: the first faces, of which the masked part is known, and their mask.
        jumps: how often to go back.
        start: at step 0 `merged_start`'s z_t: the second face is where the rest begins.

    Yields:
        One SampleStep after each visit that remains; its `step` counts visits, of
        len(visit_plan(len(plan), jumps)).

    Raises:
        ValueError: the start does not fit, or the plan looks at the step before.
        NonFiniteSampleError: NaN or infinity came up.
    """
    if bool(plan.c.any()):
        raise ValueError("a plan that looks at the step before cannot be repainted with")
    visits = visit_plan(len(plan), jumps)
    rows = torch.tensor([visit.row for visit in visits])
    tables = [each.name for each in fields(Plan) if each.name != "clip_x_0"]
    unrolled = replace(plan, **{name: getattr(plan, name)[rows] for name in tables})
    return _carry_out(model, unrolled, seed, pairs, _Joining(plan, visits, seed, pairs), start)


def _carry_out(
    model: NoisePredictor,
    unrolled: Plan,
    seed: int,
    pairs: Pairs,
    join: Callable[[int, Tensor], Tensor],
    start: SampleStep,
) -> Iterator[SampleStep]:
    state = start
    for number in range(start.step, len(unrolled)):
        state = next(sample(model, unrolled, seed, pairs.indices, start=state))
        state = replace(state, z=join(number, state.z))
        yield state


class _Joining:
    """What follows the step of a visit: the known part is put in, and perhaps noise."""

    def __init__(self, plan: Plan, visits: list[Visit], seed: int, pairs: Pairs) -> None:
        self._visits, self._pairs = visits, pairs
        one = torch.ones(1, dtype=torch.float64)
        self._alphas_cumprod = torch.cat([plan.p**-2, one])  # where z stands before each row
        known, back = Purpose.REPAINT, Purpose.RENOISE
        self._noise_of_known = noise_maker(seed, pairs.indices, pairs.first, known)
        self._noise_back = noise_maker(seed, pairs.indices, pairs.first, back)

    def __call__(self, number: int, z: Tensor) -> Tensor:
        """Z after this visit, ready for the next."""
        row, next_row = self._visits[number]
        abar = self._alphas_cumprod[row + 1].item()
        known = self._pairs.first
        if abar < 1:
            known = abar**0.5 * known + (1 - abar) ** 0.5 * self._noise_of_known(number)
        z = self._pairs.join(known, z)
        if next_row > row:
            return z
        # All steps of the jump in one draw, which has the same law.
        kept = self._alphas_cumprod[next_row].item() / abar
        return kept**0.5 * z + (1 - kept) ** 0.5 * self._noise_back(number)
