"""A training that is broken off, handed back or cannot save goes on to the same end."""

import pytest
import torch

from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactStoreError
from tests.worker.tiny_training import (
    CHECKPOINT,
    STEPS,
    after,
    curves_of,
    read,
    train_order,
)
from worker.engine.shard import InterruptedShard
from worker.protocol import Interrupt, Working

pytestmark = pytest.mark.usefixtures("small_sheets")


@pytest.mark.parametrize("questions", [3, 6, 12, 28, 38])
def test_what_is_handed_back_at_any_moment_goes_on_to_the_same_end(
    inner_engine, whole, tmp_path, questions
):
    _, undisturbed = whole
    inner_engine.interrupt_when = after(questions, Interrupt.RETURN)
    with pytest.raises(InterruptedShard) as broken_off:
        inner_engine.run(train_order())
    inner_engine.interrupt_when = lambda engine: None
    inner_engine.events.clear()

    resumed = inner_engine.run(train_order(attempt=2), "worker-2")

    told = [event.done for event in inner_engine.said(Working) if event.done]
    assert told[0] == min(STEPS, broken_off.value.saved_step + 1)
    weights = read(undisturbed[CHECKPOINT], tmp_path).model.state_dict()
    for name, weight in read(resumed[CHECKPOINT], tmp_path).model.state_dict().items():
        assert torch.equal(weight, weights[name]), name
    for name in ("development.png", "sheet.png"):
        assert resumed[name].content == undisturbed[name].content, name
    assert curves_of(resumed) == curves_of(undisturbed)


def test_what_counts_no_more_is_left_at_once_and_not_saved(inner_engine, artifacts):
    inner_engine.interrupt_when = after(8, Interrupt.STOP)

    with pytest.raises(InterruptedShard) as broken_off:
        inner_engine.run(train_order())

    assert broken_off.value.interrupt is Interrupt.STOP
    assert artifacts.names("jobs/job/job-0") == []


def test_a_state_that_cannot_be_saved_costs_nothing_now(inner_engine, monkeypatch, caplog):
    def refuse(store: ArtifactStore, path: str, data: bytes) -> None:
        raise ArtifactStoreError("no space", path=path)

    monkeypatch.setattr(ArtifactStore, "write_bytes", refuse)
    inner_engine.settings = inner_engine.settings.model_copy(update={"training_save_seconds": 1e-9})

    files = inner_engine.run(train_order())

    assert CHECKPOINT in files
    assert "cannot save step 1," in caplog.text


def test_only_the_newest_state_is_kept(inner_engine, artifacts):
    inner_engine.settings = inner_engine.settings.model_copy(update={"training_save_seconds": 1e-9})

    inner_engine.run(train_order())

    assert artifacts.names("jobs/job/job-0/1-worker-1") == [f"state-{STEPS}.safetensors"]


def test_a_damaged_state_is_passed_over(inner_engine, artifacts):
    inner_engine.interrupt_when = after(8, Interrupt.RETURN)
    with pytest.raises(InterruptedShard) as broken_off:
        inner_engine.run(train_order())
    path = f"jobs/job/job-0/1-worker-1/state-{broken_off.value.saved_step}.safetensors"
    content = artifacts.read_bytes(path)
    inner_engine.interrupt_when = lambda engine: (
        Interrupt.STOP if any(event.done for event in engine.said(Working)) else None
    )

    for damage in (content[: len(content) // 2], b"", content[:2000] + bytes(len(content) - 2000)):
        inner_engine.events.clear()
        artifacts.write_bytes(path, damage)
        with pytest.raises(InterruptedShard):
            inner_engine.run(train_order(attempt=2))
        assert next(event.done for event in inner_engine.said(Working) if event.done) == 1


def test_a_hand_back_while_the_files_are_written_leaves_the_development_as_it_was(
    inner_engine, whole
):
    shard = inner_engine.shard(train_order())
    inner_engine.runner("train_ddpm").run(shard, shard.order.work)
    shard.before_return()  # SIGTERM comes while it publishes

    again = inner_engine.run(train_order(attempt=2), "worker-2")

    _, undisturbed = whole
    assert again["development.png"].content == undisturbed["development.png"].content
