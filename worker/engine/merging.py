"""Run a `merge` shard: two faces noised to t, joined and denoised, as a sampling is."""

from collections.abc import Iterator

import torch

from diffusion import Checkpoint, NoisePredictor, SampleStep, plan, sample
from diffusion.merge import Pairs, merged_start, steps_from
from diffusion.plan import Plan
from diffusion.repaint import Jumps, repaint, visit_plan
from formats.faces import to_unit_range
from jobs.requests import MergeParams
from jobs.works import MergeWork
from worker.engine.datasets import Datasets
from worker.engine.device import Device
from worker.engine.made_files import images_file
from worker.engine.merge_sources import load_mask, load_sources
from worker.engine.models import Models
from worker.engine.sampling import BEST_TIMESTEPS
from worker.engine.sampling_state import newest_sampling
from worker.engine.sampling_steps import carry_out, to_gray
from worker.engine.shard import MadeFile, ShardRun


class MergeRunner:
    """Merges pairs of faces."""

    def __init__(self, models: Models, device: Device, datasets: Datasets) -> None:
        """Run on `device`, with networks of `models`, and faces of `datasets`."""
        self._models = models
        self._device = device
        self._datasets = datasets

    def run(self, shard: ShardRun, work: MergeWork) -> list[MadeFile]:
        """Merge the pairs of a shard, from the furthest saved state on.

        Raises:
            InterruptedShard: the consumer asked for it.
            NonFiniteSampleError: the network made NaN or infinity.
            ArtifactStoreError: checkpoint, faces or mask cannot be read.
            FormatError: one of them is none.
        """
        checkpoint, predict = self._models.noise_predictor(work.checkpoint)
        params, seed = work.params, work.params.seed
        assert seed is not None  # drawn when the job was submitted
        row, first_pair = divmod(work.first_image, params.pair_count)
        t = params.timesteps[row]
        pairs = self._pairs(shard, work, first_pair)
        table = merge_plan(params, checkpoint, t)
        state = newest_sampling(shard, self._device.device)
        if state is None:
            state = SampleStep(0, merged_start(pairs, t, checkpoint.betas, seed))
        steps, length = _walk(params, predict, table, pairs, state)
        total = work.image_count * params.network_calls(t)
        last = carry_out(shard, steps, state, length, total)
        return [images_file(to_gray(last.z))]

    def _pairs(self, shard: ShardRun, work: MergeWork, first_pair: int) -> Pairs:
        sources = load_sources(shard, self._datasets, work.sources)
        faces = torch.from_numpy(to_unit_range(sources)).to(self._device.device)
        mask = load_mask(shard.artifacts, work.params, work.sources.mask)
        indices = range(first_pair, first_pair + work.image_count)
        return Pairs(faces[:, :1], faces[:, 1:], mask.to(faces.device, faces.dtype), indices)


def merge_plan(params: MergeParams, checkpoint: Checkpoint, t: int) -> Plan:
    """The table from the book's t on: its share of the steps of the whole way."""
    return plan(
        params.sampler,
        checkpoint.betas,
        steps_from(t, params.num_inference_steps, len(checkpoint.betas)),
        clip_x_0=params.clip_x_0,
        start_t=t - 1,
        timesteps=BEST_TIMESTEPS,
        variance=params.variance,
        eta=params.eta,
    )


def _walk(
    params: MergeParams, predict: NoisePredictor, table: Plan, pairs: Pairs, start: SampleStep
) -> tuple[Iterator[SampleStep], int]:
    """The method's steps from `start`, and how many there are from the beginning."""
    seed = params.seed
    assert seed is not None
    if params.method == "kernel":
        return sample(predict, table, seed, pairs.indices, start=start), len(table)
    jumps = Jumps(params.jump_length, params.resamplings)
    visits = len(visit_plan(len(table), jumps))
    return repaint(predict, table, seed, pairs, jumps, start), visits
