"""How the network is run: bfloat16 where the chip is fast at it, float32 elsewhere."""

import copy
import time
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from diffusion.cuda_graphs import GraphedNetwork
from diffusion.packed import pack
from diffusion.sampling import NoisePredictor
from diffusion.unet import UNet

TRIALS = 5
SLOWEST_BFLOAT16 = 1.5  # times as long as float32


@lru_cache(maxsize=8)
def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 convolutions run on instructions of their own; found once in a process.

    A CPU needs instructions of its own for them, or they are emulated. As some builds of the
    libraries leave the instructions unused (then bfloat16 takes several times as long as float32),
    one convolution is also measured. Used, they take half as long: the limit lies far from both, so
    that all engines of a machine decide alike, however busy it is.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    capabilities = torch.cpu.get_capabilities()
    if not any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16")):
        return False
    allowed = SLOWEST_BFLOAT16 * convolution_seconds(torch.float32)
    return convolution_seconds(torch.bfloat16) < allowed


def convolution_seconds(dtype: torch.dtype) -> float:
    """CPU time of a convolution from the middle of the network, at best."""
    x, weight = torch.zeros(4, 128, 24, 24, dtype=dtype), torch.zeros(128, 128, 3, 3, dtype=dtype)
    x, weight = (tensor.to(memory_format=torch.channels_last) for tensor in (x, weight))
    seconds = []
    with torch.no_grad():
        for _ in range(1 + TRIALS):  # the first also makes the kernel
            began = time.thread_time()  # what other processes take must not decide
            functional.conv2d(x, weight, padding=1)
            seconds.append(time.thread_time() - began)
    return min(seconds[1:])


def predictor(
    model: UNet, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> NoisePredictor:
    """Ready a network for sampling: a frozen copy, channels_last (contiguous bfloat16 is slow).

    On a CPU, in bfloat16, an image's eps is the same bytes for every batch size, order and thread
    count; in float32, and on a GPU, it differs in the last digits. On a GPU faces run as CUDA
    graphs, of which only one may run at a time, and float32 convolutions round what they read to
    TF32 (10 bits of mantissa) unless torch is told otherwise before the first prediction:
    `torch.backends.cudnn.allow_tf32 = False`.

    Args:
        model: left as it is.
        device: where to run.
        dtype: bfloat16 or float32, of all but the first convolution; by default bfloat16 where
            `has_fast_bfloat16`.

    Returns:
        A function of z_t (B, 1, H, W) and t (B,), both on the device, that gives eps in z_t's
        shape and dtype.
    """
    device = torch.device(device)
    if dtype is None:
        dtype = torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    network = copy.deepcopy(model).eval().requires_grad_(False).to(device)
    network.round_to(dtype)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it
    if device.type == "cpu" and dtype == torch.bfloat16:
        pack(network)
    run = GraphedNetwork(network) if device.type == "cuda" else network

    def predict(z_t: Tensor, t: Tensor) -> Tensor:
        with torch.no_grad():
            eps: Tensor = run(z_t.float(), t.to(device))
        return eps.to(z_t.dtype)

    return predict
