"""The sampling loop: it can stop and go on anywhere, and images do not know their company."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import NonFiniteSampleError, SampleStep, UNet, linear_betas, plan, sample
from diffusion.plan import Plan

SHAPE = (1, 16, 16)


def zero_eps(z: Tensor, t: Tensor) -> Tensor:
    return torch.zeros_like(z)


@pytest.mark.parametrize(
    ("sampler", "options"),
    [("ddpm", {}), ("ddim", {"eta": 0.3}), ("dpmpp_2m", {}), ("dpmpp_2m", {"clip_x_0": True})],
)
@pytest.mark.parametrize("stop", [1, 6, 11])
def test_going_on_from_a_middle_step_equals_the_undisturbed_run(
    unet: Callable[[int], UNet], sampler: Any, options: dict[str, Any], stop: int
) -> None:
    table = plan(sampler, linear_betas(), 12, **options)
    model = unet(4)
    whole = list(sample(model, table, 5, [3, 1], shape=SHAPE))

    begun = sample(model, table, 5, [3, 1], shape=SHAPE)
    saved = [next(begun) for _ in range(stop)][-1]
    rest = list(sample(model, table, 5, [3, 1], start=saved))

    assert [step.step for step in rest] == list(range(stop + 1, 13))
    for found, expected in zip(rest, whole[stop:], strict=True):
        assert torch.equal(found.z, expected.z)


def test_steps_are_counted_from_1_to_the_plans_length() -> None:
    steps = list(sample(zero_eps, plan("ddpm", linear_betas(), 7), 0, [0], shape=SHAPE))

    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6, 7]
    assert {step.z.shape for step in steps} == {(1, *SHAPE)}
    assert {step.z.dtype for step in steps} == {torch.float32}


def test_a_finished_start_has_no_steps_left() -> None:
    table = plan("ddpm", linear_betas(), 3)
    *_, final = sample(zero_eps, table, 0, [0], shape=SHAPE)

    assert list(sample(zero_eps, table, 0, [0], start=final)) == []


def test_an_image_is_the_same_alone_and_in_company() -> None:
    def pixelwise(z: Tensor, t: Tensor) -> Tensor:
        return 0.9 * z

    table = plan("ddpm", linear_betas(), 20)
    *_, together = sample(pixelwise, table, 8, [0, 1, 2, 3], shape=SHAPE)
    *_, alone = sample(pixelwise, table, 8, [2], shape=SHAPE)

    assert torch.equal(alone.z[0], together.z[2])


def test_clipping_keeps_the_predicted_pictures_in_range() -> None:
    table = plan("ddpm", linear_betas(), 10, clip_x_0=True)

    for step in sample(zero_eps, table, 0, [0, 1], shape=SHAPE):
        assert step.pred_x_0 is not None
        assert step.pred_x_0.abs().max() <= 1


def test_the_previous_picture_enters_where_a_plan_asks_for_it() -> None:
    ones = torch.ones(2, dtype=torch.float64)
    table = Plan(
        timesteps=torch.tensor([1, 0]),
        p=ones,
        q=0 * ones,
        a=0 * ones,
        b=2 * ones,
        c=torch.tensor([0.0, -3.0], dtype=torch.float64),
        sigma=0 * ones,
    )
    start = SampleStep(0, torch.ones(1, *SHAPE))

    first, second = sample(zero_eps, table, 0, [0], start=start)
    (resumed,) = sample(zero_eps, table, 0, [0], start=first)

    assert first.z.unique().tolist() == [2]
    assert second.z.unique().tolist() == [2 * 2 - 3 * 1]
    assert torch.equal(resumed.z, second.z)
    with pytest.raises(ValueError, match="needs the x_0 of the step before"):
        next(iter(sample(zero_eps, table, 0, [0], start=SampleStep(1, first.z))))


def test_a_network_that_overflows_is_named_with_step_and_images() -> None:
    def overflowing(z: Tensor, t: Tensor) -> Tensor:
        eps = torch.zeros_like(z)
        eps[1] = torch.inf if t[0] < 500 else 0
        return eps

    table = plan("ddim", linear_betas(), 10, timesteps="trailing")
    steps = sample(overflowing, table, 0, [20, 30], shape=SHAPE)

    with pytest.raises(NonFiniteSampleError, match="the first is image 30") as caught:
        list(steps)
    assert caught.value.step == 5
    assert caught.value.image_indices == (30,)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (SampleStep(11, torch.zeros(1, *SHAPE)), "step must be within 0 and 10, not 11"),
        (SampleStep(0, torch.zeros(2, *SHAPE)), "z holds 2 images, but there are 1"),
    ],
)
def test_a_start_that_does_not_fit_is_refused_at_once(start: SampleStep, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(zero_eps, plan("ddim", linear_betas(), 10), 0, [0], start=start)
