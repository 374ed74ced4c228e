"""Training the age regressor on noised faces, and measuring how far off it is at each t."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion.aged_faces import YEARS, AgedFaces, FacesWithAges
from diffusion.checkpoints import Checkpoint, RegressorCheckpoint
from diffusion.initialization import initialize_regressor
from diffusion.process import GaussianProcess
from diffusion.regressor import AgeRegressor
from diffusion.training_data import TENTHS
from diffusion.training_loop import TrainingLoop, weights_sha256
from diffusion.training_options import RegressorOptions, TrainingLimit

StartNetwork = Checkpoint | RegressorCheckpoint

MAX_MEASURED = 256  # held-out faces, in each measurement of the training
ALL = 2**31  # of the faces that are held out


@dataclass(frozen=True, eq=False)
class HeldOutErrors:
    """What a regressor said too much of held-out faces, one row for each face and tenth of T.

    Attributes:
        t: int64 (n,), within 0 and T − 1.
        years: said age minus true age, float64 (n,).
    """

    t: NDArray[np.int64]
    years: NDArray[np.float64]


class RegressorTraining(TrainingLoop[AgeRegressor]):
    """The training of an age regressor; see `TrainingLoop`.

    The loss is the squared error, which is the negative log-likelihood of a Gaussian of unit
    variance, of faces that are noised by q(z_t | x) to a t drawn anew for each.

    Source: Prince, Understanding Deep Learning, sections 5.3 and 18.6.3.

    Attributes:
        best: the averaged weights whose mean absolute error was least so far: what is kept.
        betas: the noise schedule, float32 (T,).
        faces: what is trained on.
        initial_sha256: of the weights that it starts from; None from scratch.
    """

    measured = ("held_out_loss", "held_out_mae")
    loss_unit = float(YEARS**2)

    def __init__(
        self,
        data: FacesWithAges,
        options: RegressorOptions,
        limit: TrainingLimit,
        *,
        predictor: StartNetwork,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        """Be ready for the first step.

        Args:
            data: what to learn; faces without an age of 0 to 100 years are left out.
            options: how to train.
            limit: when to end.
            predictor: the noise predictor whose schedule it takes, and whose downward half where
                the options start from the checkpoint; or a regressor, to go on from.
            device: see `TrainingLoop`.
            dtype: see `TrainingLoop`.

        Raises:
            formats.errors.LengthMismatchError: there is not one age per face.
            ValueError: there are too few faces with an age, or the predictor has another width.
        """
        self.betas, self._patience = predictor.betas, options.patience
        source = predictor if options.start == "checkpoint" else None
        network = _start_network(options, source, self.betas)
        self.initial_sha256 = None if source is None else weights_sha256(source.model)
        super().__init__(network, options, limit, device, dtype)
        self.best = self._place(network).requires_grad_(False)
        self._best_error, self._measured_since_best = float("inf"), 0
        self.faces = AgedFaces(data, options, len(self.betas), self.device)
        if not isinstance(source, RegressorCheckpoint):
            for each in (self.model, self.averaged, self.best):
                torch.nn.init.constant_(each.age.bias, self.faces.mean_age / YEARS)
        self._process = GaussianProcess(self.betas)

    @property
    def has_ended(self) -> bool:
        """Whether the limit is reached, or patience has run out."""
        patience = self._patience
        is_stuck = patience is not None and self._measured_since_best >= patience
        return super().has_ended or is_stuck

    def held_out_errors(self) -> Iterator[HeldOutErrors]:
        """What the best weights say of all held-out faces, a tenth of the timesteps each time."""
        for tenth in range(TENTHS):
            yield self._errors_of(self.best, tenth, ALL)

    def _errors_of(self, network: AgeRegressor, tenth: int | None, most: int) -> HeldOutErrors:
        timesteps, errors = [], []
        with torch.no_grad():
            for batch in self.faces.held_out_batches(tenth, most):
                z_t = self._process.q_sample(batch.x_0, batch.t, batch.eps)
                said = self._run(network, z_t, batch.t) - self.faces.ages_of(batch)
                timesteps.append(batch.t.numpy())
                errors.append(said.double().cpu().numpy() * YEARS)
        return HeldOutErrors(np.concatenate(timesteps), np.concatenate(errors))

    def _data_fingerprint(self) -> dict[str, Any]:
        return {
            "betas": [float(self.betas[0]), float(self.betas[-1]), len(self.betas)],
            "faces_sha256": self.faces.sha256,
            "ages_sha256": hashlib.sha256(self.faces.ages.numpy().data).hexdigest(),
            "initial_sha256": self.initial_sha256,
        }

    def _batch_loss(self) -> Tensor:
        batch = self.faces.batch(self.step)
        z_t = self._process.q_sample(batch.x_0, batch.t, batch.eps)
        said = self._run(self.model, z_t, batch.t)
        return (said - self.faces.ages_of(batch)).square().mean()

    def _measure(self) -> Mapping[str, float]:
        years = self._errors_of(self.averaged, None, MAX_MEASURED).years
        # not the loss: its squares are mostly of the few faces with great noise, where all is luck
        error = float(np.abs(years).mean())
        self._measured_since_best += 1
        if error < self._best_error:
            self._best_error, self._measured_since_best = error, 0
            self.best.load_state_dict(self.averaged.state_dict())
        return {"held_out_loss": float(np.square(years).mean()), "held_out_mae": error}

    def _more_tensors(self) -> dict[str, Tensor]:
        return {f"best/{name}": value for name, value in self.best.state_dict().items()}

    def _more_values(self) -> dict[str, Any]:
        best = None if self._best_error == float("inf") else self._best_error
        return {"best_error": best, "measured_since_best": self._measured_since_best}

    def _take_more(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        self.best.load_state_dict({n: tensors[f"best/{n}"] for n in self.best.state_dict()})
        best = values.get("best_error")  # states of older programs have a loss in its place
        self._best_error = float("inf") if best is None else best
        self._measured_since_best = values["measured_since_best"]


def _start_network(
    options: RegressorOptions,
    source: StartNetwork | None,
    betas: Tensor,
) -> AgeRegressor:
    network = AgeRegressor(options.width, len(betas))
    initialize_regressor(network, options.seed)
    if source is None:
        return network
    if source.model.width != options.width:
        raise ValueError(
            f"the network that it starts from has width {source.model.width}, "
            f"but the options ask for width {options.width}; they must be equal"
        )
    known = network.state_dict()
    taken = {n: w for n, w in source.model.state_dict().items() if n in known}
    network.load_state_dict(known | taken)
    return network
