"""Training the noise predictor: stratified timesteps, min-SNR weights, held-out losses."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion.checkpoints import Checkpoint
from diffusion.initialization import initialize
from diffusion.process import GaussianProcess
from diffusion.schedule import linear_betas
from diffusion.training_data import TENTHS, Batch, TrainingFaces
from diffusion.training_loop import TrainingLoop, weights_sha256
from diffusion.training_options import TrainingLimit, TrainingOptions
from diffusion.unet import UNet


class Training(TrainingLoop[UNet]):
    """The training of a noise predictor; see `TrainingLoop`.

    Source: Ho et al. 2020 (DDPM, arXiv:2006.11239), algorithm 1.

    Attributes:
        betas: the noise schedule, float32 (T,).
        faces: what is trained on.
        initial_description: of the checkpoint that it started from, where there was one.
        initial_sha256: of that one's weights.
    """

    measured = ("held_out_loss",)

    def __init__(
        self,
        faces: NDArray[np.uint8],
        options: TrainingOptions,
        limit: TrainingLimit,
        *,
        initial: Checkpoint | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        """Be ready for the first step.

        Args:
            faces: gray, uint8 (N, 48, 48); beside those held out at least one batch.
            options: how to train.
            limit: when to end.
            initial: start from its weights, and keep its schedule; by default from random weights
                and the course's schedule.
            device: see `TrainingLoop`.
            dtype: see `TrainingLoop`.

        Raises:
            ValueError: there are too few faces, or the initial network has another width.
        """
        self.options = options
        self.betas = linear_betas() if initial is None else initial.betas
        start = _start_network(options, initial, len(self.betas))
        super().__init__(start, options, limit, device, dtype)
        self.initial_description = None if initial is None else initial.description
        self.initial_sha256 = None if initial is None else weights_sha256(start)
        self.faces = TrainingFaces(faces, options, len(self.betas), self.device)
        self._process = GaussianProcess(self.betas)
        self._weights = _loss_weights(self._process, options.min_snr_gamma)

    def held_out_loss(self, tenth: int | None = None) -> float:
        """The averaged weights' mean squared error of eps on faces that are not trained on.

        Args:
            tenth: of the timesteps, 0 … 9; by default all of them.
        """
        total, count = 0.0, 0
        with torch.no_grad():
            for batch in self.faces.held_out_batches(tenth):
                total += float(self._errors(self.averaged, batch).double().sum())
                count += len(batch.t)
        return total / count

    def held_out_loss_by_tenth(self) -> list[float]:
        """`held_out_loss` of each tenth of the timesteps, the least noise first."""
        return [self.held_out_loss(tenth) for tenth in range(TENTHS)]

    def _data_fingerprint(self) -> dict[str, Any]:
        return {
            "betas": [float(self.betas[0]), float(self.betas[-1]), len(self.betas)],
            "faces_sha256": self.faces.sha256,
            "initial_sha256": self.initial_sha256,
        }

    def _batch_loss(self) -> Tensor:
        batch = self.faces.batch(self.step)
        errors = self._errors(self.model, batch)
        return (errors * self._weights[batch.t].to(self.device)).mean()

    def _measure(self) -> Mapping[str, float]:
        return {"held_out_loss": self.held_out_loss()}

    def _errors(self, network: UNet, batch: Batch) -> Tensor:
        z_t = self._process.q_sample(batch.x_0, batch.t, batch.eps)
        predicted = self._run(network, z_t, batch.t)
        return (predicted - batch.eps).square().flatten(1).mean(dim=1)


def _start_network(options: TrainingOptions, initial: Checkpoint | None, timesteps: int) -> UNet:
    network = UNet(options.width, timesteps)
    if initial is None:
        initialize(network, options.seed)
        return network
    if initial.model.width != options.width:
        raise ValueError(
            f"the initial network has width {initial.model.width}, "
            f"but the options ask for width {options.width}; they must be equal"
        )
    network.load_state_dict(initial.model.state_dict())
    return network


def _loss_weights(process: GaussianProcess, gamma: float | None) -> Tensor:
    """Hang et al. 2023 (min-SNR, arXiv:2303.09556), equation 7 turned to eps: float32 (T,)."""
    ratio = process.alphas_cumprod / (1 - process.alphas_cumprod)
    if gamma is None:
        return torch.ones_like(ratio, dtype=torch.float32)
    return (ratio.clamp(max=gamma) / ratio).float()
