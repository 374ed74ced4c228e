"""The runner of trainings, with tiny networks on few faces."""

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion import Checkpoint, Training, TrainingOptions, fit_prior, load_checkpoint
from diffusion.errors import TrainingDivergedError
from diffusion.training_options import TrainingLimit
from formats.pictures import read_png_parameters
from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactStoreError
from jobs.messages import ShardOrder
from jobs.requests import TrainDdpmParams
from jobs.works import FileReference, SyntheticDataset, TrainDdpmWork
from synthetic import synthetic_faces
from worker.engine import development, training
from worker.engine.shard import InterruptedShard, MadeFile
from worker.engine.stored_files import read_checkpoint
from worker.protocol import Interrupt, PreviewMade, Working

FACES = 64
STEPS = 16
TINY = {"width": 8, "batch_size": 4, "seed": 5, "warmup_steps": 5}
CHECKPOINT = "noise-predictor-8.safetensors"
Files = dict[str, MadeFile]


@pytest.fixture(autouse=True, scope="module")
def _small_sheets() -> Iterator[None]:
    """Few faces at few moments: sampling them would take longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(development, "SHARES", (0.1, 0.5))
        patch.setattr(development, "STEPS", 4)
        patch.setattr(training, "DEVELOPED_FACES", 2)
        patch.setattr(training, "SHEET_FACES", 3)
        yield


@pytest.fixture(scope="module")
def whole(_small_sheets, make_inner_engine, tmp_path_factory) -> tuple[Any, Files]:
    """An engine that ran a whole training, and the files of it."""
    engine = make_inner_engine(tmp_path_factory.mktemp("whole"))
    return engine, engine.run(train_order())


def train_order(attempt: int = 1, initial: FileReference | None = None, **params) -> ShardOrder:
    limit = {} if {"minutes", "images"} & params.keys() else {"steps": STEPS}
    work = TrainDdpmWork(
        params=TrainDdpmParams(**(TINY | limit | params)),
        dataset=SyntheticDataset(count=FACES, seed=1),
        initial=initial,
    )
    return ShardOrder(job_id="job", shard_id="job-0", attempt=attempt, work=work)


def core_training(initial: Checkpoint | None = None, **options) -> Training:
    """The same training by the core itself, undisturbed."""
    faces, _ = synthetic_faces(FACES, 1)
    made = Training(
        faces,
        TrainingOptions(**(TINY | options)),
        TrainingLimit(steps=STEPS),
        initial=initial,
        dtype=torch.float32,
    )
    for _ in made.run():
        pass
    return made


def read(file: MadeFile, folder: Path) -> Checkpoint:
    path = folder / file.name
    path.write_bytes(file.content)
    return load_checkpoint(path)


def assert_same_weights(found: Checkpoint, expected: Training) -> None:
    weights = found.model.state_dict()
    for name, weight in expected.averaged.state_dict().items():
        assert torch.equal(weights[name], weight.half().float()), name


def curves_of(files: Files) -> dict[str, Any]:
    return dict(json.loads(files["metrics.json"].content)["curves"])


def after(count: int, interrupt: Interrupt) -> Callable[..., Interrupt | None]:
    """An interrupt at the count-th question."""
    questions = iter(range(1, count + 1))
    return lambda engine: None if next(questions, count) < count else interrupt


def test_a_training_is_the_cores_own(whole, tmp_path):
    _, files = whole

    expected = core_training()
    trained = read(files[CHECKPOINT], tmp_path)
    assert_same_weights(trained, expected)
    faces, _ = synthetic_faces(FACES, 1)
    assert torch.equal(trained.prior.mean, fit_prior(faces).mean.half().float())
    metrics = json.loads(files["metrics.json"].content)
    assert metrics["curves"] == expected.curves()
    assert metrics["held_out_loss_by_tenth"] == [
        round(loss, 5) for loss in expected.held_out_loss_by_tenth()
    ]
    assert (metrics["steps"], metrics["images_seen"]) == (STEPS, 4 * STEPS)
    assert metrics["images_per_second"] > 0


def test_its_files_say_what_they_are(whole):
    _, files = whole

    assert [(f.role, f.name, tuple(f.shape)) for f in files.values()] == [
        ("checkpoint", CHECKPOINT, ()),
        ("metrics", "metrics.json", ()),
        ("figure", "development.png", (3 * 48, 2 * 48)),
        ("figure", "sheet.png", (48, 10 * 48)),
    ]
    details = files[CHECKPOINT].details
    assert (details["architecture"], details["width"]) == ("unet", 8)
    assert details["prior_components"] == 16
    assert details["training"]["steps"] == STEPS
    assert "synthetic faces 0 to 63 of seed 1" in details["dataset"]


def test_its_figures_say_what_made_them(whole):
    _, files = whole

    sheet = read_png_parameters(files["sheet.png"].content)
    development = read_png_parameters(files["development.png"].content)

    assert set(sheet) == {"job", "kind", "params", "checkpoints"}
    assert (sheet["kind"], sheet["checkpoints"]) == ("train_ddpm", {})
    assert development == sheet | {"images_seen": [8, 32, 64]}


def test_the_faces_develop_to_those_of_the_sheet(whole):
    engine, files = whole

    rows = np.asarray(Image.open(io.BytesIO(files["development.png"].content)))
    sheet = np.asarray(Image.open(io.BytesIO(files["sheet.png"].content)))
    assert np.array_equal(rows[-48:], sheet[:, :96])
    assert not np.array_equal(rows[:48], rows[48:96])
    metrics = json.loads(files["metrics.json"].content)
    assert metrics["development"] == {"images_seen": [8, 32, 64]}
    assert len(engine.said(PreviewMade)) == 3


def test_a_request_leaves_open_what_the_core_decides():
    decided = {"width": 16, "seed": 3}

    assert training.training_options(TrainDdpmParams(**decided)) == TrainingOptions(**decided)


@pytest.mark.parametrize(
    ("limit", "dones"),
    [
        ({"steps": 3}, [1, 2, 3]),
        ({"images": 10}, [4, 8, 10]),
    ],
)
def test_progress_counts_what_the_limit_counts(inner_engine, limit, dones):
    order = train_order(**limit)

    shard = inner_engine.shard(order)
    inner_engine.runner("train_ddpm").run(shard, order.work)

    told = [event.done for event in inner_engine.said(Working)]
    assert sorted(set(told)) == [0, *dones]
    assert told == sorted(told)
    assert shard.done == dones[-1]


def test_a_limit_in_minutes_ends_by_the_clock(inner_engine):
    files = inner_engine.run(train_order(minutes=0.02))

    metrics = json.loads(files["metrics.json"].content)
    assert metrics["seconds"] >= 1.2
    assert max(event.done for event in inner_engine.said(Working)) == int(metrics["seconds"])


def test_the_curves_are_told_whole_while_it_trains(whole):
    engine, _ = whole

    told = [event.curves for event in engine.said(Working) if event.curves]
    lengths = [len(curves["loss"]) for curves in told]
    assert sorted(set(lengths)) == list(range(1, STEPS + 1))
    assert lengths == sorted(lengths)
    assert [point[0] for point in told[-1]["loss"]] == list(range(1, STEPS + 1))
    assert "held_out_loss" in told[-1]


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


def test_a_training_goes_on_from_another_checkpoint(inner_engine, keep_network, artifacts):
    initial = keep_network()

    files = inner_engine.run(train_order(initial=initial))

    described = files[CHECKPOINT].details["training"]
    assert described["initial_sha256"] is not None
    start = read_checkpoint(artifacts, initial)
    assert core_training(start).initial_sha256 == described["initial_sha256"]


def test_a_training_that_diverges_says_what_to_do(inner_engine):
    with pytest.raises(TrainingDivergedError) as diverged:
        inner_engine.run(train_order(learning_rate=0.1, gradient_norm=1000, warmup_steps=1))

    code, message = inner_engine.runner("train_ddpm").describe_failure(diverged.value)
    assert code == "training_diverged"
    assert "learning rate" in message


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


@pytest.mark.parametrize(("patience", "speaks"), [(60.0, True), (1e-9, False)])
def test_a_long_step_is_spoken_for_unless_it_hangs(inner_engine, monkeypatch, patience, speaks):
    inner_engine.settings = inner_engine.settings.model_copy(
        update={
            "report_seconds": 3600.0,
            "engine_silence_seconds": 0.05,
            "engine_load_seconds": patience,
        }
    )
    advance = Training.advance
    told = []

    def advance_slowly(core: Training) -> float:
        before = len(inner_engine.events)
        if core.step == 1:
            time.sleep(0.5)
            told.append(len(inner_engine.events) - before)
        return advance(core)

    monkeypatch.setattr(Training, "advance", advance_slowly)

    inner_engine.run(train_order())

    assert (told[0] > 0) is speaks
