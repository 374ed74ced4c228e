"""The age regressor: the downward half of the noise predictor's U-Net with a head."""

from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffusion.downward import TIME_CHANNELS, DownwardHalf
from diffusion.schedule import NUM_TIMESTEPS
from formats.age_regressor import GROUPS, HIDDEN, POOLED_CELLS

YEARS = 100  # per unit of the network's output


class AgeRegressor(DownwardHalf):
    """f(z_t, t): the mean of a Gaussian of unit variance over the age y, given z_t.

    The names of its convolutions are those of the noise predictor, whose weights can be taken. Each
    is followed by a group normalisation of its own: without them it learned several times slower.

    Source: Prince, Understanding Deep Learning, sections 5.3 (squared error as the likelihood of
    a Gaussian) and 18.6.3 (guidance by a network that reads z_t).
    """

    def __init__(self, width: int = 64, num_timesteps: int = NUM_TIMESTEPS) -> None:
        """Make a network with `width` channels at full resolution."""
        super().__init__(width, num_timesteps)
        channels = 8 * width
        seen = (level * width for level in (1, 1, 2, 2, 4, 4, 8, 8))
        self.norms = nn.ModuleList(nn.GroupNorm(gcd(GROUPS, each), each) for each in seen)
        self.hidden = nn.Linear(POOLED_CELLS * channels + TIME_CHANNELS, HIDDEN)
        self.age = nn.Linear(HIDDEN, 1)

    def forward(self, z_t: Tensor, t: Tensor) -> Tensor:
        """Tell the ages of noised faces, each alone: no statistics of the batch.

        Args:
            z_t: (B, 1, 48, 48), in the first parameters' dtype.
            t: int64 (B,), within 0 and T − 1: 0 is the least noise.

        Returns:
            Ages in hundreds of years, (B,), not bounded.
        """
        time = self.time_embeddings[t]
        seen = self._activate(0, self._first_seen(z_t, time))
        seen = self._activate(1, self.dconv_down1[2](seen))
        for level, double in enumerate((self.dconv_down2, self.dconv_down3, self.dconv_down4), 1):
            seen = self._activate(2 * level, double[0](functional.max_pool2d(seen, 2)))
            seen = self._activate(2 * level + 1, double[2](seen))
        pooled = functional.avg_pool2d(seen.to(self.age.weight.dtype), 2).flatten(1)
        hidden = functional.silu(self.hidden(torch.cat([pooled, time], dim=1)))
        ages: Tensor = self.age(hidden)
        return ages[:, 0]

    def _activate(self, place: int, seen: Tensor) -> Tensor:
        """Normalise each image in the norms' own dtype, and cut off below zero."""
        norm = self.norms[place]
        assert isinstance(norm, nn.GroupNorm)
        return functional.relu_(norm(seen.to(norm.weight.dtype))).to(seen.dtype)
