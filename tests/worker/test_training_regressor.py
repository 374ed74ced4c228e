"""The runner of regressors' trainings, on few synthetic faces."""

import json

import pytest

from diffusion.checkpoints import load_regressor
from jobs.messages import ShardOrder
from jobs.requests import TrainRegressorParams
from jobs.works import FileReference, SyntheticDataset, TrainRegressorWork
from worker.engine.shard import InterruptedShard
from worker.protocol import Interrupt, Working

WIDTH = 8  # of the network that `keep_network` keeps
STEPS = 12
NAME = f"age-regressor-{WIDTH}.safetensors"


def order(predictor: FileReference, attempt: int = 1, **params) -> ShardOrder:
    given = {"width": WIDTH, "steps": STEPS, "seed": 5, "batch_size": 8, **params}
    work = TrainRegressorWork(
        params=TrainRegressorParams(**given),
        dataset=SyntheticDataset(count=100, seed=1),
        checkpoint=predictor,
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
