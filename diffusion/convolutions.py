"""3×3 convolutions of what has a structure, with fewer multiplications than of its pixels."""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

TAPS = 9
CENTER = 4


def convolve_beside_constants(x: Tensor, constants: Tensor, conv: nn.Conv2d) -> Tensor:
    """`conv` of x and, after it, constant channels: `conv(cat([x, constants as pictures]))`.

    A tap of all constant channels together is one number for each output channel; zero padding
    leaves it out where the tap lies outside. So they count as one channel of ones, with weights of
    each image's own. The taps become a matrix product: for few channels x only.

    Args:
        x: (B, C, H, W).
        constants: (B, K).
        conv: 3×3, padding 1, of C + K channels, with bias.

    Returns:
        (B, O, H, W), channels_last.
    """
    batch, channels, height, width = x.shape
    patches = functional.unfold(torch.cat([x, torch.ones_like(x[:, :1])], dim=1), 3, padding=1)
    of_x = by_tap(conv.weight[:, :channels]).view(1, channels * TAPS, -1).expand(batch, -1, -1)
    of_constants = by_tap(conv.weight[:, channels:]).expand(batch, -1, -1)
    # One product for each image: of one with B rows the last digit depends on B.
    of_ones = torch.bmm(constants[:, None], of_constants).view(batch, TAPS, -1)
    assert conv.bias is not None
    bias = functional.pad(conv.bias[None], (0, 0, CENTER, CENTER))  # the center is never outside
    y = torch.bmm(patches.transpose(1, 2), torch.cat([of_x, of_ones + bias], dim=1))
    return y.view(batch, height, width, -1).permute(0, 3, 1, 2)


class DoubledConv2d(nn.Conv2d):
    """A 3×3 convolution, padding 1, of what `convolve_doubled` takes."""

    def forward(  # type: ignore[override]  # a convolution in what it holds, not in how it is called
        self, x: Tensor, skip: Tensor, constants: Tensor | None = None
    ) -> Tensor:
        """See `convolve_doubled`."""
        return convolve_doubled(x, skip, self, constants)


def convolve_doubled(
    x: Tensor, skip: Tensor, conv: nn.Conv2d, constants: Tensor | None = None
) -> Tensor:
    """`conv` of x and constant channels, both doubled, and of the skip after them.

    Doubling is `interpolate(scale_factor=2, mode="bilinear", align_corners=True)`. It commutes with
    the mixing of channels: the weights of all nine taps are applied to the small x, a quarter of
    the work; then each tap's picture is doubled, shifted and summed, which is one matrix for the
    rows and one for the columns.

    Args:
        x: (B, C, H, W), channels_last.
        skip: (B, S, 2·H, 2·W), channels_last.
        conv: 3×3, padding 1, of C + K + S channels, with bias.
        constants: (B, K), if any.

    Returns:
        (B, O, 2·H, 2·W), channels_last.
    """
    channels = x.shape[1]
    before_skip = channels + (0 if constants is None else constants.shape[1])
    of_skip = functional.conv2d(skip, conv.weight[:, before_skip:], conv.bias, padding=1)
    of_constants = None
    if constants is not None:
        of_constants = constants @ by_tap(conv.weight[:, channels:before_skip])
    return add_doubled(of_skip, x, by_tap(conv.weight[:, :channels]), of_constants)


def add_doubled(y: Tensor, x: Tensor, weights: Tensor, shifts: Tensor | None) -> Tensor:
    """Add the convolution of the doubled x to y; the heart of `convolve_doubled`.

    Args:
        y: (B, O, 2·H, 2·W), channels_last.
        x: (B, C, H, W), channels_last.
        weights: (C, 9·O), see `by_tap`.
        shifts: what constant channels add to each tap, (B, 9·O), if anything.

    Returns:
        (B, O, 2·H, 2·W), channels_last.
    """
    batch, channels, height, width = x.shape
    taps = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels) @ weights
    if shifts is not None:
        taps = taps + shifts[:, None]
    rows = taps.view(batch, height, width, 3, -1).transpose(2, 3).reshape(batch, 3 * height, -1)
    rows = torch.bmm(_doubling(height, rows.dtype, rows.device).expand(batch, -1, -1), rows)
    columns = rows.view(batch * 2 * height, 3 * width, -1)
    sum_ = torch.baddbmm(
        y.permute(0, 2, 3, 1).reshape(batch * 2 * height, 2 * width, -1),
        _doubling(width, rows.dtype, rows.device).expand(len(columns), -1, -1),
        columns,
    )
    return sum_.view(batch, 2 * height, 2 * width, -1).permute(0, 3, 1, 2)


def by_tap(weight: Tensor) -> Tensor:
    """(O, C, 3, 3) → (C, 9·O): of each channel all taps, row by row."""
    return weight.permute(1, 2, 3, 0).reshape(weight.shape[1], TAPS * weight.shape[0])


@lru_cache(maxsize=64)
def _doubling(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(2·size, 3·size): entry (p, 3·i + k) is what pixel i gives to tap k at pixel p of double."""
    with torch.inference_mode(False), torch.no_grad():
        pixels = torch.eye(size, dtype=torch.float64)[None]
        doubled = functional.interpolate(pixels, scale_factor=2, mode="linear", align_corners=True)[
            0
        ].T
        padded = functional.pad(doubled, (0, 0, 1, 1))
        shifted = torch.stack([padded[tap : tap + 2 * size] for tap in range(3)], dim=2)
        return shifted.reshape(2 * size, 3 * size).to(device, dtype)
