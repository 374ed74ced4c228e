"""The runner of faces at target ages: each image alone, whoever else is in its shard."""

import hashlib
import io
import itertools

import numpy as np
import pytest

from diffusion import save_checkpoint
from diffusion.initialization import initialize_regressor
from diffusion.regressor import AgeRegressor
from formats.description import CheckpointDescription
from formats.pictures import decode_png, read_png_parameters
from jobs.messages import ShardOrder
from jobs.requests import GuidedSampleParams
from jobs.works import AssembleWork, FileReference, GuidedSampleWork
from worker.engine.shard import InterruptedShard
from worker.protocol import Interrupt

AGES = [18.0, 80.0]
PER_AGE = 3
GIVEN = {
    "target_ages": AGES,
    "faces_per_age": PER_AGE,
    "sampler": "ddpm",
    "num_inference_steps": 8,
    "guidance": "calibrated",
    "guidance_scale": 40.0,
    "guidance_form": "mean",
    "seed": 3,
}


@pytest.fixture
def regressor(artifacts, tmp_path) -> FileReference:
    """A regressor that learned nothing, but whose error is known."""
    network = AgeRegressor(8)
    initialize_regressor(network, 1)
    described = CheckpointDescription(
        "age_regressor", 8, metrics={"mse_by_twentieth": [100.0] * 20}
    )
    path = tmp_path / "regressor.safetensors"
    save_checkpoint(path, network, described)
    content = path.read_bytes()
    artifacts.write_bytes("checkpoints/regressor.safetensors", content)
    sha256 = hashlib.sha256(content).hexdigest()
    return FileReference(path="checkpoints/regressor.safetensors", sha256=sha256)


@pytest.fixture
def order(keep_network, regressor):
    """Makes the order of a shard."""
    network, numbers = keep_network(), itertools.count()

    def make(first: int = 0, count: int = len(AGES) * PER_AGE, **given):
        work = GuidedSampleWork(
            params=GuidedSampleParams(**GIVEN | given),
            checkpoint=network,
            regressor=regressor,
            first_image=first,
            image_count=count,
        )
        # A shard of its own: none goes on from what another has saved.
        return ShardOrder(job_id="job", shard_id=f"job-{next(numbers)}", attempt=1, work=work)

    return make


def images_of(files) -> np.ndarray:
    return np.load(io.BytesIO(files["images.npy"].content))


@pytest.mark.parametrize("form", ["mean", "eps"])
def test_an_image_is_the_same_bytes_alone_and_among_others(inner_engine, order, form):
    together = images_of(inner_engine.run(order(guidance_form=form)))

    for image in range(len(together)):
        alone = images_of(inner_engine.run(order(image, 1, guidance_form=form)))
        assert np.array_equal(alone[0], together[image])


def test_columns_share_their_noise_and_differ_by_their_age(inner_engine, order):
    unguided = images_of(inner_engine.run(order(guidance_scale=0.0)))
    guided = images_of(inner_engine.run(order()))
    own = images_of(inner_engine.run(order(guidance_scale=0.0, shared_noise=False)))

    assert np.array_equal(unguided[:PER_AGE], unguided[PER_AGE:])
    assert not np.array_equal(guided[:PER_AGE], guided[PER_AGE:])
    assert not np.array_equal(own[:PER_AGE], own[PER_AGE:])


def test_a_shard_that_is_handed_back_goes_on_to_the_same_bytes(make_inner_engine, order, tmp_path):
    undisturbed = images_of(make_inner_engine(tmp_path).run(order()))
    engine = make_inner_engine(tmp_path)
    questions = iter(range(100))
    engine.interrupt_when = lambda _: Interrupt.RETURN if next(questions) == 5 else None
    broken = order()
    with pytest.raises(InterruptedShard) as broken_off:
        engine.run(broken)
    assert 0 < broken_off.value.saved_step < 8
    engine.interrupt_when = lambda _: None

    resumed = images_of(engine.run(broken.model_copy(update={"attempt": 2})))

    assert np.array_equal(resumed, undisturbed)


def test_the_collage_has_a_row_for_each_age(inner_engine, artifacts, order):
    made = inner_engine.run(order())
    artifacts.write_bytes("jobs/job/piece.npy", made["images.npy"].content)
    work = AssembleWork(
        job_kind="guided_sample",
        params=GuidedSampleParams(**GIVEN),
        pieces=["jobs/job/piece.npy"],
        checkpoints={"checkpoint": "a" * 64, "regressor": "b" * 64},
    )
    whole = ShardOrder(job_id="job", shard_id="job-1", attempt=1, work=work)

    files = inner_engine.run(whole)

    collage = decode_png(files["collage.png"].content)
    assert collage.shape == (len(AGES) * 48, PER_AGE * 48)
    assert np.array_equal(collage[48:, :48], images_of(made)[PER_AGE])
    says = read_png_parameters(files["collage.png"].content)
    assert says["params"]["target_ages"] == AGES
    assert says["checkpoints"] == {"checkpoint": "a" * 64, "regressor": "b" * 64}
    assert files["figure.png"].shape[0] > collage.shape[0]
