"""Our sampling loop beside a plain one over diffusers' DDPMScheduler, and beside the chip."""

import statistics
import time
from collections.abc import Callable

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from benchmarks.plain_unet import plain_forward
from diffusion import (
    FACE_SHAPE,
    NoisePredictor,
    Purpose,
    SampleStep,
    UNet,
    has_fast_bfloat16,
    linear_betas,
    noise,
    plan,
    predictor,
    sample,
)

WIDTH = 64
FLOPS = 3.19e9  # of an image-step at width 64, counted of the plain network
IMAGES, STEPS, ROUNDS = 25, 20, 3
GPU_BATCHES = (1, 25, 100, 512)
MATRIX = {"cpu": 2048, "cuda": 8192}  # large enough for the chip's best


def measure() -> list[str]:
    """On the CPU, and on the GPU if there is one: the lines of the report."""
    torch.manual_seed(0)
    model = UNet(WIDTH).eval().requires_grad_(False)
    where = f"CPU, {torch.get_num_threads()} threads"
    lines = _compare(model, torch.device("cpu"), IMAGES, where)
    if not torch.cuda.is_available():
        return [*lines, "GPU: none is at hand"]
    for images in GPU_BATCHES:
        where = f"{torch.cuda.get_device_name()}, batches of {images}"
        lines += _compare(model, torch.device("cuda"), images, where)
    return lines


def _compare(model: UNet, device: torch.device, images: int, where: str) -> list[str]:
    start = noise(1, range(images), 0, FACE_SHAPE, Purpose.START).to(device)
    predict = predictor(model, device)
    plain = UNet(WIDTH).eval().requires_grad_(False).to(device)
    plain.load_state_dict(model.state_dict())
    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: our_loop(predict, start),
        "theirs": lambda: their_loop(plain, start),
        "matrix": matrix_product(device),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    runs["ours"]()  # graphs are captured, kernels are made
    for _ in range(ROUNDS):
        for name, run in runs.items():
            seconds[name].append(_seconds(run, device))
    ours, theirs, matrix = (statistics.median(found) for found in seconds.values())
    image_steps = images * STEPS / ours
    chip = 2 * MATRIX[device.type] ** 3 / matrix
    of_chip = image_steps * FLOPS / chip
    return [
        f"{where}, {images} images, {STEPS} steps, width {WIDTH}: ours {ours:.2f} s, "
        f"diffusers' DDPMScheduler in float32 {theirs:.2f} s: {theirs / ours:.1f} times as fast",
        f"    {image_steps:.1f} image-steps/s, nominally {image_steps * FLOPS / 1e9:.0f} GFLOP/s: "
        f"{of_chip:.2f} of a large matrix product's {chip / 1e9:.0f} GFLOP/s",
    ]


def our_loop(predict: NoisePredictor, start: Tensor) -> Tensor:
    """Sample from this z, with noise in each step."""
    table = plan("ddpm", linear_betas(), STEPS)
    *_, last = sample(predict, table, 1, range(len(start)), start=SampleStep(0, start))
    return last.z


def their_loop(model: UNet, start: Tensor) -> Tensor:
    """The loop of diffusers' documentation."""
    scheduler = DDPMScheduler(1000, beta_start=1e-4, beta_end=0.01, clip_sample=False)
    scheduler.set_timesteps(STEPS)
    z = start
    with torch.no_grad():
        for t in scheduler.timesteps:
            eps = plain_forward(model, z, t.to(z.device).expand(len(z)))
            z = scheduler.step(eps, t, z).prev_sample
    return z


def matrix_product(device: torch.device) -> Callable[[], Tensor]:
    """A large product in the precision that the network gets."""
    dtype = torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    matrix = torch.zeros(MATRIX[device.type], MATRIX[device.type], dtype=dtype, device=device)
    matrix.fill_(0.5)
    return lambda: matrix @ matrix


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    began = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
