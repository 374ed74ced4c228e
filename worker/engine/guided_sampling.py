"""Run a `guided_sample` shard: the core's guided loop, as a sampling is."""

import math
from functools import partial

import torch

from diffusion import Checkpoint, NoisePredictor, SampleStep, start_noise
from diffusion.fixed_batches import in_fixed_batches
from diffusion.guidance import AgeGuide, GuidanceOptions
from diffusion.sampling import guided_sample
from jobs.requests import GuidedSampleParams
from jobs.works import GuidedSampleWork
from worker.engine.datasets import Datasets
from worker.engine.device import Device
from worker.engine.made_files import images_file
from worker.engine.models import Models
from worker.engine.sampling import chosen_prior, sampler_plan
from worker.engine.sampling_state import newest_sampling
from worker.engine.sampling_steps import carry_out, to_gray
from worker.engine.shard import MadeFile, ShardRun


class GuidedSampleRunner:
    """Samples shards of faces at target ages."""

    def __init__(self, models: Models, device: Device, datasets: Datasets) -> None:
        """Run on `device`, with networks of `models`, and priors of `datasets`."""
        self._models = models
        self._datasets = datasets
        self._device = device

    def run(self, shard: ShardRun, work: GuidedSampleWork) -> list[MadeFile]:
        """Sample the images of a shard, from the furthest saved state on.

        Raises:
            InterruptedShard: the consumer asked for it.
            NonFiniteSampleError: the networks made NaN or infinity.
            UnmeasuredRegressorError: see `AgeGuide`.
            ArtifactStoreError: a checkpoint, or the prior's dataset, cannot be read.
            FormatError: one of them is none.
        """
        params, seed = work.params, work.params.seed
        assert seed is not None  # drawn when the job was submitted
        checkpoint, predict = self._models.noise_predictor(work.checkpoint)
        images = range(work.first_image, work.first_image + work.image_count)
        guide = self._guide(work, checkpoint, images)
        noises = [noise_index(params, image) for image in images]
        table = sampler_plan(params, checkpoint)
        state = newest_sampling(shard, self._device.device)
        if state is None:
            prior = chosen_prior(shard, self._datasets, work, checkpoint)
            z = start_noise(prior, checkpoint.betas, seed, noises)
            state = SampleStep(0, z.to(self._device.device))
        steps = guided_sample(self._alike(predict), table, guide, seed, noises, state)
        last = carry_out(shard, steps, state, len(table), len(table) * work.image_count)
        return [images_file(to_gray(last.z))]

    def _guide(self, work: GuidedSampleWork, checkpoint: Checkpoint, images: range) -> AgeGuide:
        params = work.params
        return AgeGuide(
            self._models.regressor(work.regressor),
            guidance_options(params),
            [params.target_ages[image // params.faces_per_age] for image in images],
            predictor=checkpoint.model if params.guidance_gradient == "x_0" else None,
            device=self._device.device,
            dtype=self._device.dtype,
        )

    def _alike(self, predict: NoisePredictor) -> NoisePredictor:
        """The predictor, so run that an image's eps does not depend on the size of its shard."""
        is_exact = self._device.dtype == torch.float32 and self._device.device.type == "cpu"
        return partial(in_fixed_batches, predict) if is_exact else predict


def noise_index(params: GuidedSampleParams, image: int) -> int:
    """Whose noise an image has: that of its column, where the ages share it, or its own."""
    return image % params.faces_per_age if params.shared_noise else image


def guidance_options(params: GuidedSampleParams) -> GuidanceOptions:
    """What these parameters ask of the core."""
    assert params.guidance_scale is not None  # both decided when the job was submitted
    assert params.guidance_form is not None
    return GuidanceOptions(
        likelihood=params.guidance,
        scale=params.guidance_scale,
        form=params.guidance_form,
        gradient=params.guidance_gradient,
        sigma_min=params.guidance_sigma_min or 0.0,
        sigma_max=params.guidance_sigma_max or math.inf,
        clip=params.guidance_clip,
    )
