"""The course's noise predictor: a plain U-Net with the timestep as constant channels."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion.convolutions import DoubledConv2d, convolve_beside_constants
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


class UNet(nn.Module):
    """Predicts the noise eps in z_t; parameter names and arithmetic of `diff_unet_faces.cpt`.

    Three halvings; skips are concatenated after the upsampled tensor; the time embedding joins the
    input and the bottleneck as constant channels.
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
        self.dconv_up3 = double_conv(
            8 * width + TIME_CHANNELS + 4 * width, 4 * width, DoubledConv2d
        )
        self.dconv_up2 = double_conv(4 * width + 2 * width, 2 * width, DoubledConv2d)
        self.dconv_up1 = double_conv(2 * width + width, width, DoubledConv2d)
        self.conv_last = nn.Conv2d(width, 1, 1)

    def forward(self, z_t: Tensor, t: Tensor) -> Tensor:
        """Predict the noise in z_t.

        Args:
            z_t: (B, 1, H, W) with H and W multiples of 8, in the first parameters' dtype.
            t: int64 (B,), within 0 and T − 1: 0 is the least noise.

        Returns:
            eps, (B, 1, H, W).
        """
        time = self.time_embeddings[t]
        down1 = self._look(z_t, time)
        down2 = self.dconv_down2(functional.max_pool2d(down1, 2))
        down3 = self.dconv_down3(functional.max_pool2d(down2, 2))
        down4 = self.dconv_down4(functional.max_pool2d(down3, 2))
        up3 = self._double(self.dconv_up3, down4, down3, time)
        up2 = self._double(self.dconv_up2, up3, down2)
        up1 = self._double(self.dconv_up1, up2, down1)
        return self._predict(up1)

    @property
    def dtype(self) -> torch.dtype:
        """Of all parameters between the first convolution and the last."""
        return self._rounded_to or self.conv_last.weight.dtype

    @property
    def _first(self) -> nn.Conv2d:
        first = self.dconv_down1[0]
        assert isinstance(first, nn.Conv2d)
        return first

    def _look(self, z_t: Tensor, time: Tensor) -> Tensor:
        first, second = self._first, self.dconv_down1[2:]
        seen = convolve_beside_constants(z_t, time, first)
        if first.weight.dtype != self.dtype:
            seen = seen.to(self.dtype)
        down1: Tensor = second(functional.relu_(seen))
        return down1

    def _double(
        self, double_conv: nn.Sequential, x: Tensor, skip: Tensor, time: Tensor | None = None
    ) -> Tensor:
        constants = None if time is None else time.to(self.dtype)
        up: Tensor = double_conv[1:](double_conv[0](x, skip, constants))
        return up

    def _predict(self, up1: Tensor) -> Tensor:
        if self._rounded_to in (None, self.conv_last.weight.dtype):
            eps: Tensor = self.conv_last(up1)
            return eps
        # A sum for each pixel: its last digit does not depend on the batch, as a convolution's may.
        last, bias = self.conv_last, self.conv_last.bias
        assert bias is not None
        pixels = up1.permute(0, 2, 3, 1).to(last.weight.dtype)
        sums = (pixels * last.weight.view(-1)).sum(dim=3) + bias
        return sums[:, None]

    def round_to(self, dtype: torch.dtype) -> None:
        """Put all but the first and the last convolution in `dtype`.

        z_t and t enter unrounded. Of eps an error that all pixels share is the worst: it changes
        brightness, 12.6 times as much as itself at t = T. Most of it comes from rounding the last
        weights.
        """
        self._rounded_to = dtype
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module not in (self._first, self.conv_last):
                module.to(dtype)
