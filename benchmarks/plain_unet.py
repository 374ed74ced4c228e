"""The course's network the way it is drawn: every operation on its own, nothing saved."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion import UNet


def plain_forward(model: UNet, z_t: Tensor, t: Tensor) -> Tensor:
    """What `model` predicts, by the plain way."""
    time = model.time_embeddings[t][:, :, None, None]
    seen = torch.cat([z_t, time.expand(-1, -1, *z_t.shape[2:])], dim=1)
    down1 = _double_conv(model.dconv_down1, seen)
    down2 = _double_conv(model.dconv_down2, functional.max_pool2d(down1, 2))
    down3 = _double_conv(model.dconv_down3, functional.max_pool2d(down2, 2))
    down4 = _double_conv(model.dconv_down4, functional.max_pool2d(down3, 2))
    bottleneck = torch.cat([down4, time.expand(-1, -1, *down4.shape[2:])], dim=1)
    up3 = _double_conv(model.dconv_up3, torch.cat([_double(bottleneck), down3], dim=1))
    up2 = _double_conv(model.dconv_up2, torch.cat([_double(up3), down2], dim=1))
    up1 = _double_conv(model.dconv_up1, torch.cat([_double(up2), down1], dim=1))
    eps: Tensor = model.conv_last(up1)
    return eps


def _double_conv(convolutions: nn.Sequential, x: Tensor) -> Tensor:
    for conv in convolutions[::2]:
        x = functional.conv2d(x, conv.weight, conv.bias, padding=1).relu_()
    return x


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
