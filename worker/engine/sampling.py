"""Run a `sample` shard: the core's loop, with saving, previews and interrupts around it."""

from diffusion import Checkpoint, DataPrior, SampleStep, Timesteps, plan, sample, start_noise
from diffusion.plan import Plan
from jobs.requests import GuidedSampleParams, SampleParams
from jobs.works import GuidedSampleWork, SampleWork
from worker.engine.datasets import Datasets
from worker.engine.device import Device
from worker.engine.made_files import images_file
from worker.engine.models import Models
from worker.engine.sampling_state import newest_sampling
from worker.engine.sampling_steps import carry_out, to_gray
from worker.engine.shard import MadeFile, ShardRun

BEST_TIMESTEPS: Timesteps = "logsnr"  # better than trailing with every sampler at few steps


class SampleRunner:
    """Samples shards."""

    def __init__(self, models: Models, device: Device, datasets: Datasets) -> None:
        """Run on `device`, with networks of `models`, and priors of `datasets`."""
        self._models = models
        self._datasets = datasets
        self._device = device

    def run(self, shard: ShardRun, work: SampleWork) -> list[MadeFile]:
        """Sample the images of a shard, from the furthest saved state on.

        Raises:
            InterruptedShard: the consumer asked for it.
            NonFiniteSampleError: the network made NaN or infinity.
            ArtifactStoreError: the checkpoint, or the prior's dataset, cannot be read.
            FormatError: one of them is none.
        """
        checkpoint, predict = self._models.noise_predictor(work.checkpoint)
        table = sampler_plan(work.params, checkpoint)
        indices = range(work.first_image, work.first_image + work.image_count)
        seed = work.params.seed
        assert seed is not None  # drawn when the job was submitted
        state = newest_sampling(shard, self._device.device)
        if state is None:
            prior = chosen_prior(shard, self._datasets, work, checkpoint)
            z = start_noise(prior, checkpoint.betas, seed, indices)
            state = SampleStep(0, z.to(self._device.device))
        steps = sample(predict, table, seed, indices, start=state)
        total = len(table) * work.image_count
        last = carry_out(shard, steps, state, len(table), total)
        return [images_file(to_gray(last.z))]


def chosen_prior(
    shard: ShardRun, datasets: Datasets, work: SampleWork | GuidedSampleWork, checkpoint: Checkpoint
) -> DataPrior | None:
    """Where sampling starts: the dataset that is named goes before the checkpoint's own."""
    if work.params.prior == "standard":
        return None
    if work.prior_dataset is not None:
        return datasets.prior(shard, work.prior_dataset)
    assert checkpoint.prior is not None  # asked for when the job was submitted
    return checkpoint.prior


def sampler_plan(params: SampleParams | GuidedSampleParams, checkpoint: Checkpoint) -> Plan:
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
