"""The runner of samplings: what the parameters ask for is what the core is asked."""

import hashlib
import io

import numpy as np
import pytest
import torch

from diffusion import (
    DataPrior,
    SampleStep,
    fit_prior,
    linear_betas,
    plan,
    predictor,
    sample,
    save_checkpoint,
    start_noise,
)
from formats.description import CheckpointDescription
from formats.faces import from_unit_range
from jobs.artifacts import checkpoint_path
from jobs.messages import ShardOrder
from jobs.requests import SampleParams
from jobs.works import FileReference, SampleWork, SyntheticDataset
from synthetic import synthetic_faces
from worker.engine.sampling import sampler_plan
from worker.engine.shard import InterruptedShard
from worker.engine.stored_files import read_checkpoint
from worker.protocol import Interrupt, Working

SEED = 3
DATASET = SyntheticDataset(count=120, seed=9)


def sample_order(
    reference: FileReference, attempt: int = 1, dataset: SyntheticDataset | None = None, **params
) -> ShardOrder:
    work = SampleWork(
        params=SampleParams(seed=SEED, count=2, checkpoint="named", **params),
        checkpoint=reference,
        prior_dataset=dataset,
        first_image=5,
        image_count=2,
    )
    return ShardOrder(job_id="job", shard_id="job-0", attempt=attempt, work=work)


def by_the_core(checkpoint, prior: DataPrior | None, **options) -> np.ndarray:
    table = plan(betas=checkpoint.betas, **options)
    start = SampleStep(0, start_noise(prior, checkpoint.betas, SEED, range(5, 7)))
    predict = predictor(checkpoint.model, dtype=torch.float32)
    *_, last = sample(predict, table, SEED, range(5, 7), start=start)
    return from_unit_range(last.z[:, 0].numpy())


def images_of(files) -> np.ndarray:
    return np.load(io.BytesIO(files["images.npy"].content))


@pytest.fixture
def with_prior(artifacts, keep_network, tmp_path) -> FileReference:
    """A checkpoint that holds a prior of its data."""
    checkpoint = read_checkpoint(artifacts, keep_network())
    faces, _ = synthetic_faces(50, 4)
    path = tmp_path / "prior.safetensors"
    description = CheckpointDescription("unet", 8)
    save_checkpoint(path, checkpoint.model, description, prior=fit_prior(faces))
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    artifacts.write_bytes(checkpoint_path(sha256), content)
    return FileReference(path=checkpoint_path(sha256), sha256=sha256)


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({"sampler": "ddpm", "variance": "posterior"}, {"variance": "posterior"}),
        ({"sampler": "ddim", "eta": 0.5}, {"eta": 0.5}),
        ({"sampler": "ddim", "timesteps": "trailing"}, {"timesteps": "trailing"}),
        ({"sampler": "dpmpp_2m", "timesteps": "logsnr"}, {"timesteps": "logsnr"}),
        ({"sampler": "dpmpp_2m", "clip_x_0": True}, {"clip_x_0": True}),
    ],
)
def test_the_sampler_is_the_one_asked_for(inner_engine, artifacts, keep_network, params, options):
    reference = keep_network()

    files = inner_engine.run(sample_order(reference, num_inference_steps=4, **params))

    checkpoint = read_checkpoint(artifacts, reference)
    asked = {"sampler": params["sampler"], "num_inference_steps": 4, **options}
    assert np.array_equal(images_of(files), by_the_core(checkpoint, None, **asked))


def test_every_choice_of_a_sampler_changes_the_plan():
    def table(**params) -> torch.Tensor:
        params = {"num_inference_steps": 8} | params
        made = sampler_plan(SampleParams(**params), Named(linear_betas()))
        return torch.stack([made.timesteps.double(), made.a, made.b, made.c, made.sigma])

    class Named:
        def __init__(self, betas: torch.Tensor) -> None:
            self.betas = betas

    choices = [
        {},
        {"variance": "posterior"},
        {"timesteps": "trailing"},
        {"sampler": "ddim"},
        {"sampler": "ddim", "eta": 0.5},
        {"sampler": "dpmpp_2m"},
    ]
    tables = [table(**choice) for choice in choices]
    for i, one in enumerate(tables):
        assert not any(torch.equal(one, other) for other in tables[:i])


def test_sampling_starts_from_the_prior_of_the_checkpoint(inner_engine, artifacts, with_prior):
    options = {"sampler": "dpmpp_2m", "num_inference_steps": 3}

    files = inner_engine.run(sample_order(with_prior, prior="data", **options))

    checkpoint = read_checkpoint(artifacts, with_prior)
    assert checkpoint.prior is not None
    expected = by_the_core(checkpoint, checkpoint.prior, **options)
    assert np.array_equal(images_of(files), expected)
    assert not np.array_equal(expected, by_the_core(checkpoint, None, **options))


def test_a_dataset_that_is_named_goes_before_the_checkpoints_prior(
    inner_engine, artifacts, with_prior
):
    options = {"sampler": "dpmpp_2m", "num_inference_steps": 3}

    files = inner_engine.run(sample_order(with_prior, dataset=DATASET, prior="data", **options))

    checkpoint = read_checkpoint(artifacts, with_prior)
    prior = fit_prior(synthetic_faces(DATASET.count, DATASET.seed)[0])
    assert np.array_equal(images_of(files), by_the_core(checkpoint, prior, **options))


@pytest.mark.parametrize("told", [1, 2, 4])
def test_a_multistep_sampler_goes_on_to_the_same_images(inner_engine, with_prior, told):
    params = {"sampler": "dpmpp_2m", "num_inference_steps": 6, "prior": "data"}
    whole = images_of(inner_engine.run(sample_order(with_prior, **params), "undisturbed"))
    inner_engine.artifacts.delete("jobs/job")
    inner_engine.events.clear()
    inner_engine.interrupt_when = lambda engine: (
        Interrupt.RETURN if len(engine.said(Working)) >= told else None
    )
    with pytest.raises(InterruptedShard):
        inner_engine.run(sample_order(with_prior, **params))
    inner_engine.interrupt_when = lambda engine: None
    inner_engine.events.clear()

    resumed = images_of(inner_engine.run(sample_order(with_prior, attempt=2, **params)))

    assert inner_engine.said(Working)[0].done > 2
    assert np.array_equal(resumed, whole)
