"""The downward half of the course's U-Net, which noise predictor and age regressor share."""

import math

import torch
from torch import Tensor, nn

from diffusion.convolutions import convolve_beside_constants
from diffusion.schedule import NUM_TIMESTEPS

TIME_CHANNELS = 64  # at every width


def time_embeddings(num_timesteps: int) -> Tensor:
    """[sin(2π f t / T), cos(2π f t / T)] of every t, f = exp(linspace(0, ln 1000, 32)).

    Returns:
        float32 (T, 64).
    """
    frequencies = torch.linspace(0, math.log(1000), TIME_CHANNELS // 2, dtype=torch.float64).exp()
    turns = torch.arange(num_timesteps, dtype=torch.float64)[:, None] / num_timesteps * frequencies
    angles = 2 * math.pi * turns
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


def double_conv(
    channels_in: int, channels_out: int, first: type[nn.Conv2d] = nn.Conv2d
) -> nn.Sequential:
    """Two 3×3 convolutions, each followed by a ReLU."""
    return nn.Sequential(
        first(channels_in, channels_out, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class DownwardHalf(nn.Module):
    """Four double convolutions with halvings between; the time joins the input as constants.

    Attributes:
        width: channels at full resolution.
    """

    time_embeddings: Tensor

    def __init__(self, width: int = 64, num_timesteps: int = NUM_TIMESTEPS) -> None:
        """Make a network with `width` channels at full resolution (64 is the course's)."""
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width}")
        self.width = width
        self._rounded_to: torch.dtype | None = None
        self.register_buffer("time_embeddings", time_embeddings(num_timesteps), persistent=False)
        self.dconv_down1 = double_conv(1 + TIME_CHANNELS, width)
        self.dconv_down2 = double_conv(width, 2 * width)
        self.dconv_down3 = double_conv(2 * width, 4 * width)
        self.dconv_down4 = double_conv(4 * width, 8 * width)

    @property
    def dtype(self) -> torch.dtype:
        """Of all parameters between the first convolution and the last."""
        return self._rounded_to or self._first.weight.dtype

    @property
    def _first(self) -> nn.Conv2d:
        first = self.dconv_down1[0]
        assert isinstance(first, nn.Conv2d)
        return first

    def _first_seen(self, z_t: Tensor, time: Tensor) -> Tensor:
        """The first convolution of z_t (B, 1, H, W) beside the embedded times (B, 64)."""
        return convolve_beside_constants(z_t, time, self._first).to(self.dtype)

    @property
    def _exact(self) -> tuple[nn.Module, ...]:
        """Convolutions that are never rounded: z_t and t enter as they are."""
        return (self._first,)

    def round_to(self, dtype: torch.dtype) -> None:
        """Put all convolutions but the first, and of a noise predictor the last, in `dtype`."""
        self._rounded_to = dtype
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module not in self._exact:
                module.to(dtype)
