"""The runner of regressors' trainings, on few synthetic faces."""

import json

import pytest
import torch

from diffusion.checkpoints import load_regressor, save_checkpoint
from diffusion.regressor import AgeRegressor
from diffusion.training_loop import weights_sha256
from formats.checkpoint import sha256_of
from formats.description import CheckpointDescription
from jobs.artifacts import checkpoint_path
from jobs.messages import ShardOrder
from jobs.requests import TrainRegressorParams
from jobs.works import FileReference, SyntheticDataset, TrainRegressorWork
from worker.engine.shard import InterruptedShard
from worker.protocol import Interrupt, Working

WIDTH = 8  # of the network that `keep_network` keeps
STEPS = 12
NAME = f"age-regressor-{WIDTH}.safetensors"


def order(
    predictor: FileReference,
    attempt: int = 1,
    initial: FileReference | None = None,
    **params,
) -> ShardOrder:
    given = {"width": WIDTH, "steps": STEPS, "seed": 5, "batch_size": 8, **params}
    work = TrainRegressorWork(
        params=TrainRegressorParams(**given),
        dataset=SyntheticDataset(count=100, seed=1),
        checkpoint=predictor,
        initial=initial,
    )
    return ShardOrder(job_id="job", shard_id="job-0", attempt=attempt, work=work)


def test_a_training_leaves_a_regressor_that_says_how_far_off_it_is(
    inner_engine, keep_network, tmp_path
):
    files = inner_engine.run(order(keep_network()))

    path = tmp_path / "made.safetensors"
    path.write_bytes(files[NAME].content)
    made = load_regressor(path)
    assert made.squared_errors is not None
    assert len(made.squared_errors) == 1000
    assert made.description.architecture == "age_regressor"
    metrics = json.loads(files["metrics.json"].content)
    assert metrics["steps"] == STEPS
    assert len(metrics["mae_by_tenth"]) == 10
    assert metrics["mae_low_noise"] == metrics["mae_by_tenth"][0]
    assert metrics["predict_mean_mae_by_tenth"][0] > 0
    assert set(metrics["curves"]) == {"loss", "held_out_loss", "held_out_mae"}


def test_it_goes_on_from_a_regressor(inner_engine, keep_network, artifacts, tmp_path):
    torch.manual_seed(1)
    first = AgeRegressor(WIDTH)
    path = tmp_path / "first.safetensors"
    save_checkpoint(path, first, CheckpointDescription("age_regressor", WIDTH))
    initial = FileReference(path=checkpoint_path(sha256_of(path)), sha256=sha256_of(path))
    artifacts.write_bytes(initial.path, path.read_bytes())

    files = inner_engine.run(order(keep_network(), initial=initial, learning_rate=1e-12))

    made = tmp_path / "made.safetensors"
    made.write_bytes(files[NAME].content)
    reached, started = load_regressor(made).model.state_dict(), first.state_dict()
    assert all(torch.allclose(reached[n], w, atol=2e-3) for n, w in started.items())  # float16
    assert load_regressor(made).description.training["initial_sha256"] == weights_sha256(first)


def test_its_curves_are_told_while_it_trains(inner_engine, keep_network):
    inner_engine.run(order(keep_network()))

    told = [event.curves for event in inner_engine.said(Working)]
    assert "held_out_mae" in told[-1]
    assert told[-1]["loss"][-1][0] == STEPS


def test_a_training_that_is_handed_back_ends_with_the_same_weights(
    make_inner_engine, keep_network, tmp_path
):
    engine = make_inner_engine(tmp_path)
    network = keep_network()
    undisturbed = engine.run(order(network))
    questions = iter(range(STEPS))
    engine.interrupt_when = lambda _: Interrupt.RETURN if next(questions, 0) == STEPS // 2 else None
    elsewhere = order(network).model_copy(update={"shard_id": "job-1"})
    with pytest.raises(InterruptedShard) as broken_off:
        engine.run(elsewhere)
    assert 0 < broken_off.value.saved_step < STEPS

    resumed = engine.run(elsewhere.model_copy(update={"attempt": 2}))

    assert weights(resumed[NAME].content) == weights(undisturbed[NAME].content)


def weights(content: bytes) -> bytes:
    """The tensors' bytes of safetensors, without what is said of them."""
    length = int.from_bytes(content[:8], "little")
    return content[8 + length :]
