"""Networks on the device, kept for the next shard."""

from collections import OrderedDict

from diffusion import Checkpoint, NoisePredictor, predictor
from diffusion.checkpoints import RegressorCheckpoint
from jobs.artifacts import ArtifactStore
from jobs.works import FileReference
from worker.engine.device import Device
from worker.engine.stored_files import read_checkpoint, read_regressor

KEPT_MODELS = 2


class Models:
    """Loads networks; the runners of all kinds share the last ones."""

    def __init__(self, artifacts: ArtifactStore, device: Device) -> None:
        """Load onto `device`, out of `artifacts`."""
        self._artifacts = artifacts
        self._device = device
        self._regressor: tuple[str, RegressorCheckpoint] | None = None
        self._predictors: OrderedDict[str, tuple[Checkpoint, NoisePredictor]] = OrderedDict()

    @property
    def warm(self) -> list[str]:
        """SHA-256 of the networks that are loaded."""
        regressor = () if self._regressor is None else (self._regressor[0],)
        return [*self._predictors, *regressor]

    def regressor(self, reference: FileReference) -> RegressorCheckpoint:
        """An age regressor, loaded once, on the CPU: each guide readies a copy of its own.

        Raises:
            ArtifactStoreError: it cannot be read, or is another file than is meant.
            FormatError: it is no age regressor.
        """
        if self._regressor is None or self._regressor[0] != reference.sha256:
            regressor = read_regressor(self._artifacts, reference)
            self._regressor = (reference.sha256, regressor)
        return self._regressor[1]

    def noise_predictor(self, reference: FileReference) -> tuple[Checkpoint, NoisePredictor]:
        """The checkpoint on the device, loaded once; the least recently used goes.

        Raises:
            ArtifactStoreError: it cannot be read, or is another file than is meant.
            FormatError: it is no noise predictor.
        """
        if reference.sha256 not in self._predictors:
            checkpoint = read_checkpoint(self._artifacts, reference)
            predict = predictor(checkpoint.model, self._device.device, self._device.dtype)
            self._predictors[reference.sha256] = (checkpoint, predict)
            while len(self._predictors) > KEPT_MODELS:
                self._predictors.popitem(last=False)
        self._predictors.move_to_end(reference.sha256)
        return self._predictors[reference.sha256]
