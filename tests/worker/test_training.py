"""The runner of trainings, with tiny networks on few faces."""

import io
import json
import time

import numpy as np
import pytest
import torch
from PIL import Image

from diffusion import Checkpoint, Training, TrainingOptions, fit_prior
from diffusion.errors import TrainingDivergedError
from diffusion.training_options import TrainingLimit
from formats.pictures import read_png_parameters
from jobs.requests import TrainDdpmParams
from synthetic import synthetic_faces
from tests.worker.tiny_training import (
    CHECKPOINT,
    FACES,
    STEPS,
    TINY,
    read,
    train_order,
)
from worker.engine import training
from worker.engine.stored_files import read_checkpoint
from worker.protocol import PreviewMade, Working

pytestmark = pytest.mark.usefixtures("small_sheets")


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


def assert_same_weights(found: Checkpoint, expected: Training) -> None:
    weights = found.model.state_dict()
    for name, weight in expected.averaged.state_dict().items():
        assert torch.equal(weights[name], weight.half().float()), name


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
    assert max(event.done for event in inner_engine.said(Working)) == 1  # of 1.2 s


def test_the_curves_are_told_whole_while_it_trains(whole):
    engine, _ = whole

    told = [event.curves for event in engine.said(Working) if event.curves]
    lengths = [len(curves["loss"]) for curves in told]
    assert sorted(set(lengths)) == list(range(1, STEPS + 1))
    assert lengths == sorted(lengths)
    assert [point[0] for point in told[-1]["loss"]] == list(range(1, STEPS + 1))
    assert "held_out_loss" in told[-1]


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
        if core.step == 1:
            before = len(inner_engine.events)
            until = time.monotonic() + (60 if speaks else 0.5)
            while len(inner_engine.events) == before and time.monotonic() < until:
                time.sleep(0.01)
            told.append(len(inner_engine.events) > before)
        return advance(core)

    monkeypatch.setattr(Training, "advance", advance_slowly)

    inner_engine.run(train_order())

    assert told == [speaks]
