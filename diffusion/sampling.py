"""The sampling loop: it carries out a plan and yields after each step."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from diffusion.device_noise import DeviceNoise
from diffusion.finite_watch import FiniteWatch
from diffusion.noise import Purpose, noise
from diffusion.plan import Plan

NoisePredictor = Callable[[Tensor, Tensor], Tensor]  # (z_t, t (B,)) → eps, of z_t's shape and dtype

FACE_SHAPE = (1, 48, 48)
STEPS_BETWEEN_LOOKS = 16  # on a GPU, where a look waits until all its work is done


@dataclass(frozen=True)
class SampleStep:
    """Where n images stand.

    Attributes:
        step: steps done, 0 … len(plan).
        z: (n, C, H, W); after the last step the images themselves, about [-1, 1].
        pred_x_0: what the last step thought the images will be, (n, C, H, W); None before any.
    """

    step: int
    z: Tensor
    pred_x_0: Tensor | None = None


class Guide(Protocol):
    """Pushes images somewhere; `diffusion.guidance` has one that pushes to ages.

    Attributes:
        form: whether the push changes the mean of an ancestral step, or eps.
    """

    form: Literal["mean", "eps"]

    def __call__(self, t: int, z: Tensor, eps: Tensor) -> Tensor | None:
        """The scaled gradient of log Pr(y | z_t), of z's shape; None for no push at t."""


def sample(
    model: NoisePredictor,
    plan: Plan,
    seed: int,
    image_indices: Sequence[int],
    *,
    shape: tuple[int, ...] = FACE_SHAPE,
    start: SampleStep | None = None,
) -> Iterator[SampleStep]:
    """Sample images step by step; image i depends on the seed and i, not on its company.

    The arithmetic is done in the dtype and on the device of z. Stopping is not asking for the
    next step; going on is passing an earlier step as `start`.

    Args:
        model: the noise predictor.
        plan: the sampler's table.
        seed: of all noise, within 0 and 2**64 − 1.
        image_indices: of the n images within their job, each within 0 and 2**32 − 1.
        shape: of one image (C, H, W); with a start it is taken from that.
        start: where to begin; by default at step 0 from standard normal z, in float32
            (`start_noise` gives z for a data prior).

    Yields:
        One SampleStep after each step that remains.

    Raises:
        ValueError: the start does not fit the plan or the images.
        NonFiniteSampleError: NaN or infinity came up.
    """
    if start is None:
        start = SampleStep(0, noise(seed, image_indices, 0, shape, Purpose.START))
    _check_start(plan, image_indices, start)
    return _carry_out(_guided(model, plan, None), plan, seed, image_indices, start)


def guided_sample(
    model: NoisePredictor,
    plan: Plan,
    guide: Guide,
    seed: int,
    image_indices: Sequence[int],
    start: SampleStep,
) -> Iterator[SampleStep]:
    """The same, with each step pushed by a guide.

    Sources: Dhariwal and Nichol 2021 (arXiv:2105.05233), algorithm 1 where the guide's form is
    "mean", algorithm 2 where it is "eps".

    Args:
        model: see `sample`.
        plan: see `sample`; "mean" moves nothing where σ is 0.
        guide: of these images, in their order.
        seed: see `sample`.
        image_indices: see `sample`; the same index twice is the same noise.
        start: see `sample`.

    Yields:
        One SampleStep after each step that remains.

    Raises:
        ValueError: the start does not fit the plan or the images.
        NonFiniteSampleError: NaN or infinity came up.
    """
    _check_start(plan, image_indices, start)
    return _carry_out(_guided(model, plan, guide), plan, seed, image_indices, start)


def _check_start(plan: Plan, image_indices: Sequence[int], start: SampleStep) -> None:
    if not 0 <= start.step <= len(plan):
        raise ValueError(f"a start's step must be within 0 and {len(plan)}, not {start.step}")
    if len(start.z) != len(image_indices):
        raise ValueError(f"z holds {len(start.z)} images, but there are {len(image_indices)}")


class _Predicted(NamedTuple):
    eps: Tensor
    shift: Tensor | None  # of the step's mean


def _guided(
    model: NoisePredictor, plan: Plan, guide: Guide | None
) -> Callable[[int, Tensor], _Predicted]:
    """What a step is given: eps, and by how much its mean is moved."""

    def predict(step: int, z: Tensor) -> _Predicted:
        index = int(plan.timesteps[step])
        # Filled on the device: from a GPU nothing waits for the host.
        eps = model(z, torch.full((len(z),), index, device=z.device))
        push = None if guide is None else guide(index, z, eps)
        if guide is None or push is None:
            return _Predicted(eps, None)
        if guide.form == "eps":
            return _Predicted(eps - (plan.q[step] / plan.p[step]).item() * push, None)
        return _Predicted(eps, plan.sigma[step].item() ** 2 * push)

    return predict


def _carry_out(
    predict: Callable[[int, Tensor], _Predicted],
    plan: Plan,
    seed: int,
    image_indices: Sequence[int],
    start: SampleStep,
) -> Iterator[SampleStep]:
    z, previous_x_0 = start.z, start.pred_x_0
    fresh_noise = _fresh_noise(seed, image_indices, z)
    between_looks = 1 if z.device.type == "cpu" else STEPS_BETWEEN_LOOKS
    watch = FiniteWatch(image_indices, z.device, between_looks)
    for step in range(start.step, len(plan)):
        # Not around the yields: no mode must leak into the caller's code.
        with torch.no_grad():
            eps, shift = predict(step, z)
            pred_x_0 = _predict_x_0(plan, step, z, eps)
            z = _move(plan, step, z, pred_x_0, previous_x_0)
            if shift is not None:
                z = z + shift
            if plan.sigma[step]:
                z = z + plan.sigma[step].item() * fresh_noise(step)
            watch.see(step, z, is_last=step == len(plan) - 1)
        previous_x_0 = pred_x_0
        yield SampleStep(step + 1, z, pred_x_0)


def _fresh_noise(seed: int, image_indices: Sequence[int], z: Tensor) -> Callable[[int], Tensor]:
    shape = z.shape[1:]
    if z.device.type == "cpu":
        return lambda step: noise(seed, image_indices, step, shape, Purpose.STEP, dtype=z.dtype)
    made_there = DeviceNoise(seed, image_indices, shape, Purpose.STEP, z.device)
    return lambda step: made_there.of(step, z.dtype)


def _predict_x_0(plan: Plan, step: int, z: Tensor, eps: Tensor) -> Tensor:
    x_0 = plan.p[step].item() * z - plan.q[step].item() * eps
    return x_0.clamp(-1, 1) if plan.clip_x_0 else x_0


def _move(plan: Plan, step: int, z: Tensor, x_0: Tensor, previous_x_0: Tensor | None) -> Tensor:
    moved = plan.a[step].item() * z + plan.b[step].item() * x_0
    if not plan.c[step]:
        return moved
    if previous_x_0 is None:
        raise ValueError(f"step {step} of this plan needs the x_0 of the step before")
    return moved + plan.c[step].item() * previous_x_0
