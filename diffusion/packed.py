"""A network on a CPU, its weights laid out for the kernels once, each ReLU in its convolution.

oneDNN wants weights in an order of its own. PyTorch brings them there in every call, which for one
image is a sixth of the time. The operators that spare it are those of `torch.compile`, not public:
where they are missing or changed, `pack` leaves a network as it is.
"""

import logging

import torch
from torch import Tensor, nn

from diffusion.convolutions import DoubledConv2d, add_doubled, by_tap
from diffusion.downward import TIME_CHANNELS
from diffusion.unet import UNet

log = logging.getLogger(__name__)

BATCH = 25  # the usual one: the order may depend on it; the result does not
SIZES = {  # of the pictures in each double convolution, if faces go in
    "dconv_down1": 48,
    "dconv_down2": 24,
    "dconv_down3": 12,
    "dconv_down4": 6,
    "dconv_up3": 12,
    "dconv_up2": 24,
    "dconv_up1": 48,
}
PIXELS_AT_ONCE = 5 * 24**2  # of a small picture: what is made of them fits into a cache
ONES = (1, 1)


class PackedConv2d(nn.Module):
    """A 3×3 convolution of stride 1 and padding 1, with its ReLU."""

    def __init__(self, weight: Tensor, bias: Tensor | None, size: int, *, has_relu: bool) -> None:
        """Lay out the weights, (O, C, 3, 3), for pictures of this height and width."""
        super().__init__()
        shape = (BATCH, weight.shape[1], size, size)
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight.contiguous(memory_format=torch.channels_last), ONES, ONES, ONES, 1, shape
        )
        self._bias = bias
        self._after = "relu" if has_relu else "none"

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of x, (B, C, H, W), channels_last."""
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, ONES, ONES, ONES, 1, self._after, [], ""
        )
        return y


class PackedDoubledConv2d(nn.Module):
    """A `DoubledConv2d` with its weights taken apart once."""

    def __init__(self, conv: DoubledConv2d, channels: int, constants: int, size: int) -> None:
        """Take apart a convolution of so many channels, constant channels and, last, skips."""
        super().__init__()
        of_x, of_constants, of_skip = conv.weight.tensor_split(
            (channels, channels + constants), dim=1
        )
        self._of_skip = PackedConv2d(of_skip, conv.bias, size, has_relu=False)
        self._of_x, self._of_constants = by_tap(of_x), by_tap(of_constants)

    def forward(self, x: Tensor, skip: Tensor, constants: Tensor | None = None) -> Tensor:
        """See `convolve_doubled`."""
        shifts = None if constants is None else constants @ self._of_constants
        y: Tensor = self._of_skip(skip)
        at_once = max(1, PIXELS_AT_ONCE // x[0, 0].numel())
        for first in range(0, len(x), at_once):
            some = slice(first, first + at_once)
            of_some = None if shifts is None else shifts[some]
            y[some] = add_doubled(y[some], x[some], self._of_x, of_some)
        return y


def pack(network: UNet) -> None:
    """Lay out the weights of a frozen network on a CPU, in place, if this PyTorch can.

    The predictions stay the same bytes.
    """
    plain = {name: network.get_submodule(name) for name in SIZES}
    try:
        for name, size in SIZES.items():
            setattr(network, name, _packed(name, plain[name], size))
        network(torch.zeros(1, 1, 48, 48), torch.zeros(1, dtype=torch.long))
    except (AttributeError, RuntimeError) as error:
        log.warning("weights are laid out anew in each step: %s", error)
        for name, module in plain.items():
            setattr(network, name, module)


def _packed(name: str, double_conv: nn.Module, size: int) -> nn.Sequential:
    first, relu, second, _ = double_conv.children()
    head = (first, relu)  # of dconv_down1 it is a matrix product
    if isinstance(first, DoubledConv2d):
        constants = TIME_CHANNELS if name == "dconv_up3" else 0
        channels = first.in_channels - constants - first.out_channels  # as many skips as it gives
        head = (PackedDoubledConv2d(first, channels, constants, size), relu)
    elif name != "dconv_down1":
        head = (_packed_with_relu(first, size), nn.Identity())
    return nn.Sequential(*head, _packed_with_relu(second, size), nn.Identity())


def _packed_with_relu(conv: nn.Module, size: int) -> PackedConv2d:
    assert isinstance(conv, nn.Conv2d)
    return PackedConv2d(conv.weight, conv.bias, size, has_relu=True)
