"""Run a `sample` shard: the core's loop, with saving, previews and interrupts around it."""

import hashlib
import tempfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from diffusion import (
    FACE_SHAPE,
    Checkpoint,
    NoisePredictor,
    Purpose,
    SampleStep,
    load_checkpoint,
    noise,
    plan,
    predictor,
    sample,
)
from diffusion.plan import Plan
from formats.faces import from_unit_range
from formats.pictures import collage, encode_png
from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactStoreError
from jobs.messages import FileReference, SampleWork
from jobs.requests import SampleParams
from jobs.settings import WorkerSettings
from worker.engine.device import Device
from worker.engine.image_files import images_file
from worker.engine.saved_states import newest_state, save_state
from worker.engine.shard import MadeFile, ShardRun

KEPT_MODELS = 2
PREVIEW_COLUMNS = 10
PREVIEW_IMAGES = 100


class SampleRunner:
    """Samples shards; keeps the last checkpoints on the device."""

    def __init__(self, settings: WorkerSettings, artifacts: ArtifactStore, device: Device) -> None:
        """Run on `device`, with checkpoints out of `artifacts`."""
        self._settings = settings
        self._artifacts = artifacts
        self._device = device
        self._models: OrderedDict[str, tuple[Checkpoint, NoisePredictor]] = OrderedDict()

    def run(self, shard: ShardRun, work: SampleWork) -> list[MadeFile]:
        """Sample the images of a shard, from the furthest saved state on.

        Raises:
            InterruptedShard: the consumer asked for it.
            NonFiniteSampleError: the network made NaN or infinity.
            ArtifactStoreError: checkpoint or result cannot be read or written.
        """
        checkpoint, predict = self._model(work.checkpoint)
        table = sampler_plan(work.params, checkpoint)
        indices = range(work.first_image, work.first_image + work.image_count)
        seed = work.params.seed
        assert seed is not None  # drawn when the job was submitted
        state = newest_state(shard, self._device.device)
        if state is None:
            z = noise(seed, indices, 0, FACE_SHAPE, Purpose.START)
            state = SampleStep(0, z.to(self._device.device))
        shard.saved_step = state.step
        shard.obey(shard.interrupt())
        steps = sample(predict, table, seed, indices, start=state)
        for state in steps:
            shard.done = state.step * work.image_count
            self._between_steps(shard, state, is_last=state.step == len(table))
        return [images_file(to_gray(state.z))]

    def _between_steps(self, shard: ShardRun, state: SampleStep, *, is_last: bool) -> None:
        interrupt = shard.interrupt()  # asked once: what is broken off below was saved here
        if not is_last and shard.wants_save(interrupt):
            save_state(shard, state)
        shard.say_working()
        if shard.wants_preview() and state.pred_x_0 is not None:
            images = to_gray(state.pred_x_0[:PREVIEW_IMAGES])
            sheet = collage(images, min(PREVIEW_COLUMNS, len(images)))
            shard.say_preview(encode_png(sheet))
        if not is_last:
            shard.obey(interrupt)

    def _model(self, reference: FileReference) -> tuple[Checkpoint, NoisePredictor]:
        """The checkpoint on the device, loaded once; the least recently used goes."""
        if reference.sha256 not in self._models:
            content = self._artifacts.read_bytes(reference.path)
            found = hashlib.sha256(content).hexdigest()
            if found != reference.sha256:
                raise ArtifactStoreError(
                    f"{reference.path} has SHA-256 {found}, not {reference.sha256}: "
                    "the artifact store holds another file",
                    path=reference.path,
                )
            with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
                file.write(content)
                file.flush()
                checkpoint = load_checkpoint(Path(file.name))
            predict = predictor(checkpoint.model, self._device.device, self._device.dtype)
            self._models[reference.sha256] = (checkpoint, predict)
            while len(self._models) > KEPT_MODELS:
                self._models.popitem(last=False)
        self._models.move_to_end(reference.sha256)
        return self._models[reference.sha256]


def sampler_plan(params: SampleParams, checkpoint: Checkpoint) -> Plan:
    """The table of coefficients that these parameters ask for."""
    if params.sampler == "ddpm":
        return plan(
            "ddpm",
            checkpoint.betas,
            params.num_inference_steps,
            clip_x_0=params.clip_x_0,
            variance=params.variance,
        )
    return plan(
        "ddim",
        checkpoint.betas,
        params.num_inference_steps,
        clip_x_0=params.clip_x_0,
        eta=params.eta,
    )


def to_gray(images: Tensor) -> npt.NDArray[np.uint8]:
    """(n, 1, 48, 48) in [-1, 1] on any device → uint8 (n, 48, 48)."""
    return from_unit_range(images[:, 0].float().cpu().numpy())
