"""The course's noise predictor: a plain U-Net with the timestep as constant channels."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

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


def double_conv(channels_in: int, channels_out: int) -> nn.Sequential:
    """Two 3×3 convolutions, each followed by a ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def upsample(x: Tensor) -> Tensor:
    """Twice the height and width, bilinear, corners aligned."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


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
        self.register_buffer("time_embeddings", time_embeddings(num_timesteps), persistent=False)
        self.dconv_down1 = double_conv(1 + TIME_CHANNELS, width)
        self.dconv_down2 = double_conv(width, 2 * width)
        self.dconv_down3 = double_conv(2 * width, 4 * width)
        self.dconv_down4 = double_conv(4 * width, 8 * width)
        self.dconv_up3 = double_conv(8 * width + TIME_CHANNELS + 4 * width, 4 * width)
        self.dconv_up2 = double_conv(4 * width + 2 * width, 2 * width)
        self.dconv_up1 = double_conv(2 * width + width, width)
        self.conv_last = nn.Conv2d(width, 1, 1)

    def forward(self, z_t: Tensor, t: Tensor) -> Tensor:
        """Predict the noise in z_t.

        Args:
            z_t: (B, 1, H, W) with H and W multiples of 8, in the parameters' dtype.
            t: int64 (B,), within 0 and T − 1: 0 is the least noise.

        Returns:
            eps, (B, 1, H, W).
        """
        time = self.time_embeddings[t][:, :, None, None]
        down1 = self.dconv_down1(_join(z_t, time.expand(-1, -1, *z_t.shape[2:])))
        down2 = self.dconv_down2(functional.max_pool2d(down1, 2))
        down3 = self.dconv_down3(functional.max_pool2d(down2, 2))
        down4 = self.dconv_down4(functional.max_pool2d(down3, 2))
        bottleneck = _join(down4, time.expand(-1, -1, *down4.shape[2:]))
        up3 = self.dconv_up3(_join(upsample(bottleneck), down3))
        up2 = self.dconv_up2(_join(upsample(up3), down2))
        up1 = self.dconv_up1(_join(upsample(up2), down1))
        eps: Tensor = self.conv_last(up1)
        return eps


def _join(first: Tensor, second: Tensor) -> Tensor:
    return torch.cat([first, second.to(first.dtype)], dim=1)
