"""Networks on the device, kept for the next shard."""

from collections import OrderedDict

from diffusion import Checkpoint, NoisePredictor, predictor
from jobs.artifacts import ArtifactStore
from jobs.works import FileReference
from worker.engine.device import Device
from worker.engine.stored_files import read_checkpoint

KEPT_MODELS = 2


class Models:
    """Loads noise predictors; the runners of all kinds share the last ones."""

    def __init__(self, artifacts: ArtifactStore, device: Device) -> None:
        """Load onto `device`, out of `artifacts`."""
        self._artifacts = artifacts
        self._device = device
        self._predictors: OrderedDict[str, tuple[Checkpoint, NoisePredictor]] = OrderedDict()

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
