"""How the network is run: bfloat16 where the chip is fast at it, float32 elsewhere."""

import copy

import torch
from torch import Tensor

from diffusion.sampling import NoisePredictor
from diffusion.unet import UNet


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 convolutions run on instructions of their own.

    Without them bfloat16 is emulated, slower than float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return False


def predictor(
    model: UNet, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> NoisePredictor:
    """Ready a network for sampling: a frozen copy, channels_last (contiguous bfloat16 is slow).

    In bfloat16 an image's eps is the same bytes for every batch size, order and thread count; in
    float32 it differs in the last digits.

    Args:
        model: left as it is.
        device: where to run.
        dtype: bfloat16 or float32, of all but the first convolution; by default bfloat16 where
            `has_fast_bfloat16`.

    Returns:
        A function of z_t (B, 1, H, W) and t (B,) that gives eps in z_t's shape and dtype.
    """
    device = torch.device(device)
    if dtype is None:
        dtype = torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    network = copy.deepcopy(model).eval().requires_grad_(False).to(device)
    network.round_to(dtype)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it

    def predict(z_t: Tensor, t: Tensor) -> Tensor:
        with torch.no_grad():
            eps: Tensor = network(z_t.float(), t)
        return eps.to(z_t.dtype)

    return predict
