"""Start weights of the noise predictor."""

import torch
from torch import nn

from diffusion.unet import UNet


def initialize(model: UNet, seed: int) -> None:
    """Start weights: He et al. 2015, the picture louder than the time, a quiet last layer."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(torch.as_tensor(module.bias))
        first = model.get_parameter("dconv_down1.0.weight")
        first[:, :1] *= 5  # one channel beside 64 of time would be lost
        first[:, 1:] *= 0.1
        model.conv_last.weight *= 0.1
