"""The course's noise predictor: a plain U-Net with the timestep as constant channels."""

from torch import Tensor, nn
from torch.nn import functional

from diffusion.convolutions import DoubledConv2d
from diffusion.downward import TIME_CHANNELS, DownwardHalf, double_conv
from diffusion.schedule import NUM_TIMESTEPS


class UNet(DownwardHalf):
    """Predicts the noise eps in z_t; parameter names and arithmetic of `diff_unet_faces.cpt`.

    Three halvings; skips are concatenated after the upsampled tensor; the time embedding joins the
    input and the bottleneck as constant channels.
    """

    def __init__(self, width: int = 64, num_timesteps: int = NUM_TIMESTEPS) -> None:
        """Make a network with `width` channels at full resolution (64 is the course's)."""
        super().__init__(width, num_timesteps)
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
        down1, down2, down3, down4 = self._down(z_t, time)
        up3 = self._double(self.dconv_up3, down4, down3, time)
        up2 = self._double(self.dconv_up2, up3, down2)
        up1 = self._double(self.dconv_up1, up2, down1)
        return self._predict(up1)

    def _down(self, z_t: Tensor, time: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        down1: Tensor = self.dconv_down1[1:](self._first_seen(z_t, time))
        down2 = self.dconv_down2(functional.max_pool2d(down1, 2))
        down3 = self.dconv_down3(functional.max_pool2d(down2, 2))
        return down1, down2, down3, self.dconv_down4(functional.max_pool2d(down3, 2))

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

    @property
    def _exact(self) -> tuple[nn.Module, ...]:
        # Of eps an error that all pixels share is the worst: it changes brightness, 12.6 times as
        # much as itself at t = T. Most of it comes from rounding the last weights.
        return (*super()._exact, self.conv_last)
