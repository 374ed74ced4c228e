"""Start weights of the noise predictor and of the age regressor."""

import torch
from torch import nn

from diffusion.downward import DownwardHalf
from diffusion.regressor import AgeRegressor
from diffusion.unet import UNet


def initialize(model: UNet, seed: int) -> None:
    """Start weights: He et al. 2015, the picture louder than the time, a quiet last layer."""
    _initialize(model, seed)
    with torch.no_grad():
        model.conv_last.weight *= 0.1


def initialize_regressor(model: AgeRegressor, seed: int) -> None:
    """The same; the last layer says a constant at first."""
    _initialize(model, seed)
    with torch.no_grad():
        model.age.weight *= 0.1


def _initialize(model: DownwardHalf, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(torch.as_tensor(module.bias))
        first = model.get_parameter("dconv_down1.0.weight")
        first[:, :1] *= 5  # one channel beside 64 of time would be lost
        first[:, 1:] *= 0.1
