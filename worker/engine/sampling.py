"""Run a `sample` shard: the core's loop, with saving, previews and interrupts around it."""

from collections import OrderedDict

import numpy as np
import numpy.typing as npt
from torch import Tensor

from diffusion import (
    Checkpoint,
    DataPrior,
    NoisePredictor,
    SampleStep,
    Timesteps,
    plan,
    predictor,
    sample,
    start_noise,
)
from diffusion.plan import Plan
from formats.faces import from_unit_range
from formats.pictures import collage, encode_png
from jobs.artifacts import ArtifactStore
from jobs.requests import SampleParams
from jobs.works import FileReference, SampleWork
from worker.engine.datasets import Datasets
from worker.engine.device import Device
from worker.engine.made_files import images_file
from worker.engine.sampling_state import newest_sampling, save_sampling
from worker.engine.shard import MadeFile, ShardRun
from worker.engine.stored_files import read_checkpoint

KEPT_MODELS = 2
PREVIEW_COLUMNS = 10
PREVIEW_IMAGES = 100
BEST_TIMESTEPS: Timesteps = "logsnr"  # better than trailing with every sampler at few steps


class SampleRunner:
    """Samples shards; keeps the last checkpoints on the device."""

    def __init__(self, artifacts: ArtifactStore, device: Device, datasets: Datasets) -> None:
        """Run on `device`, with checkpoints out of `artifacts`, and priors of `datasets`."""
        self._artifacts = artifacts
        self._datasets = datasets
        self._device = device
        self._models: OrderedDict[str, tuple[Checkpoint, NoisePredictor]] = OrderedDict()

    def run(self, shard: ShardRun, work: SampleWork) -> list[MadeFile]:
        """Sample the images of a shard, from the furthest saved state on.

        Raises:
            InterruptedShard: the consumer asked for it.
            NonFiniteSampleError: the network made NaN or infinity.
            ArtifactStoreError: the checkpoint, or the prior's dataset, cannot be read.
            FormatError: one of them is none.
        """
        checkpoint, predict = self._model(work.checkpoint)
        table = sampler_plan(work.params, checkpoint)
        indices = range(work.first_image, work.first_image + work.image_count)
        seed = work.params.seed
        assert seed is not None  # drawn when the job was submitted
        state = newest_sampling(shard, self._device.device)
        if state is None:
            prior = self._prior(shard, work, checkpoint)
            z = start_noise(prior, checkpoint.betas, seed, indices)
            state = SampleStep(0, z.to(self._device.device))
        shard.obey(shard.interrupt())
        steps = sample(predict, table, seed, indices, start=state)
        for state in steps:
            shard.done = state.step * work.image_count
            self._between_steps(shard, state, is_last=state.step == len(table))
        return [images_file(to_gray(state.z))]

    def _between_steps(self, shard: ShardRun, state: SampleStep, *, is_last: bool) -> None:
        interrupt = shard.interrupt()  # asked once: what is broken off below was saved here
        if not is_last and shard.wants_save(interrupt):
            save_sampling(shard, state)
        shard.say_working()
        if shard.wants_preview() and state.pred_x_0 is not None:
            images = to_gray(state.pred_x_0[:PREVIEW_IMAGES])
            sheet = collage(images, min(PREVIEW_COLUMNS, len(images)))
            shard.say_preview(encode_png(sheet))
        if not is_last:
            shard.obey(interrupt)

    def _prior(self, shard: ShardRun, work: SampleWork, checkpoint: Checkpoint) -> DataPrior | None:
        """Where sampling starts: the dataset that is named goes before the checkpoint's own."""
        if work.params.prior == "standard":
            return None
        if work.prior_dataset is not None:
            return self._datasets.prior(shard, work.prior_dataset)
        assert checkpoint.prior is not None  # asked for when the job was submitted
        return checkpoint.prior

    def _model(self, reference: FileReference) -> tuple[Checkpoint, NoisePredictor]:
        """The checkpoint on the device, loaded once; the least recently used goes."""
        if reference.sha256 not in self._models:
            checkpoint = read_checkpoint(self._artifacts, reference)
            predict = predictor(checkpoint.model, self._device.device, self._device.dtype)
            self._models[reference.sha256] = (checkpoint, predict)
            while len(self._models) > KEPT_MODELS:
                self._models.popitem(last=False)
        self._models.move_to_end(reference.sha256)
        return self._models[reference.sha256]


def sampler_plan(params: SampleParams, checkpoint: Checkpoint) -> Plan:
    """The table of coefficients that these parameters ask for."""
    return plan(
        params.sampler,
        checkpoint.betas,
        params.num_inference_steps,
        clip_x_0=params.clip_x_0,
        timesteps=params.timesteps or BEST_TIMESTEPS,
        variance=params.variance,
        eta=params.eta,
    )


def to_gray(images: Tensor) -> npt.NDArray[np.uint8]:
    """(n, 1, 48, 48) in [-1, 1] on any device → uint8 (n, 48, 48)."""
    return from_unit_range(images[:, 0].float().cpu().numpy())
