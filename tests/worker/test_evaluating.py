"""The runner of evaluations, with small sets of faces."""

import hashlib
import io
import json
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from diffusion import FeatureNetwork
from diffusion.judge import AgeJudge
from diffusion.network_training import save_half
from formats.description import CheckpointDescription
from formats.pictures import read_png_parameters
from formats.xmp import SourceType
from jobs.artifacts import checkpoint_path
from jobs.messages import ShardOrder
from jobs.requests import EvaluateParams
from jobs.works import EvaluatedJob, EvaluateWork, FileReference, SyntheticDataset
from synthetic import synthetic_faces
from worker.engine import evaluating, shard
from worker.engine.shard import InterruptedShard
from worker.protocol import Interrupt, Working

FACES = 400
IMAGES = 100


@pytest.fixture(autouse=True)
def _small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Untrained features: what they say is for the tests of the metrics."""
    torch.manual_seed(1)
    network = FeatureNetwork(2).eval()
    monkeypatch.setattr(evaluating, "load_feature_network", lambda path: network)


@pytest.fixture
def keep_images(artifacts):
    """Keeps an array of faces as a job's images."""

    def keep(faces: np.ndarray) -> FileReference:
        content = io.BytesIO()
        np.save(content, faces)
        artifacts.write_bytes("jobs/earlier/images.npy", content.getvalue())
        sha256 = hashlib.sha256(content.getvalue()).hexdigest()
        return FileReference(path="jobs/earlier/images.npy", sha256=sha256)

    return keep


@pytest.fixture(autouse=True)
def _ask_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle machine is done before it would have been asked to leave."""
    monkeypatch.setattr(shard, "ASK_SECONDS", 0.001)


def order(
    count: int = FACES, ages: Sequence[float] = (), judge: FileReference | None = None, **subject
) -> ShardOrder:
    params = EvaluateParams(**{name: "named" for name in subject} or {"job": "named"})
    job = None
    if "job" in subject:
        kind = "guided_sample" if ages else "sample"
        job = EvaluatedJob(kind=kind, images=subject["job"], target_ages=list(ages))
    work = EvaluateWork(
        params=params.model_copy(update={"seed": 3}),
        dataset=SyntheticDataset(count=count, seed=1),
        job=job,
        checkpoint=subject.get("checkpoint"),
        judge=judge,
    )
    return ShardOrder(job_id="job", shard_id="job-0", attempt=1, work=work)


def test_images_are_compared_with_half_of_the_faces_and_sought_in_the_rest(
    inner_engine, keep_images
):
    others, _ = synthetic_faces(IMAGES, 2)

    files = inner_engine.run(order(job=keep_images(others)))

    metrics = json.loads(files["metrics.json"].content)
    assert (metrics["images"], metrics["n"], metrics["searched_faces"]) == (100, 100, 200)
    assert metrics["seed"] == 3
    figures = {figure["name"]: figure for figure in metrics["figures"]}
    assert figures["pixel_copied_share"]["value"] == 0
    assert all(np.isfinite(figure["value"]) for figure in figures.values())
    sheet = files["nearest-neighbours.png"]
    assert (sheet.role, tuple(sheet.shape)) == ("figure", (480, 144))
    says = read_png_parameters(sheet.content)
    assert (says["job"], says["kind"], says["params"]["job"]) == ("job", "evaluate", "named")
    assert says["dataset"] == metrics["dataset"]
    assert SourceType.COMPOSITE.encode() in sheet.content
    dones = [event.done for event in inner_engine.said(Working)]
    assert dones == sorted(dones)
    assert max(dones) >= 90


def test_copies_are_found(inner_engine, keep_images):
    faces, _ = synthetic_faces(FACES, 1)
    order_of_faces = np.random.default_rng(3).permutation(FACES)

    files = inner_engine.run(order(job=keep_images(faces[order_of_faces[-IMAGES:]])))

    figures = json.loads(files["metrics.json"].content)["figures"]
    (copied,) = [f["value"] for f in figures if f["name"] == "pixel_copied_share"]
    assert copied == 1


def test_few_faces_are_only_compared_with(inner_engine, keep_images):
    others, _ = synthetic_faces(IMAGES, 2)

    files = inner_engine.run(order(count=200, job=keep_images(others)))

    metrics = json.loads(files["metrics.json"].content)
    assert (metrics["n"], metrics["searched_faces"]) == (100, 0)
    assert tuple(files["nearest-neighbours.png"].shape) == (480, 144)


@pytest.fixture
def keep_judge(artifacts, tmp_path):
    """Keeps an untrained judge that says how far it was off."""

    def keep() -> FileReference:
        torch.manual_seed(0)
        description = CheckpointDescription("age_judge", 2, metrics={"mae_years": 5.5})
        save_half(tmp_path / "judge.safetensors", AgeJudge(2), description)
        content = (tmp_path / "judge.safetensors").read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        artifacts.write_bytes(checkpoint_path(sha256), content)
        return FileReference(path=checkpoint_path(sha256), sha256=sha256)

    return keep


def test_guided_faces_are_judged_and_few_have_no_distribution(
    inner_engine, keep_images, keep_judge
):
    faces, _ = synthetic_faces(12, 2)
    judge = keep_judge()
    ages = [18.0] * 4 + [40.0] * 4 + [80.0] * 4

    files = inner_engine.run(order(job=keep_images(faces), ages=ages, judge=judge))

    assert list(files) == ["metrics.json"]
    metrics = json.loads(files["metrics.json"].content)
    assert metrics["distribution_figures"] == "left out: they need 100 images, these are 12"
    assert [(each["target"], each["n"]) for each in metrics["ages"]] == [(18, 4), (40, 4), (80, 4)]
    assert metrics["judge"] == {"sha256": judge.sha256, "held_out_mae": 5.5}
    assert -1 <= metrics["age_rank_correlation"] <= 1
    assert set(metrics["cue_rank_correlations"]) == {"gray_hair", "wrinkles"}
    assert all(each["ratio"] > 0 for each in metrics["diversity"].values())
    named = {figure["name"]: figure["value"] for figure in metrics["figures"]}
    assert named["age_rank_correlation"] == metrics["age_rank_correlation"]
    assert named["fine_power_ratio"] == metrics["diversity"]["fine_power"]["ratio"]


def test_many_guided_faces_have_both(inner_engine, keep_images, keep_judge):
    faces, _ = synthetic_faces(IMAGES, 2)
    ages = [20.0] * (IMAGES // 2) + [70.0] * (IMAGES // 2)

    files = inner_engine.run(order(job=keep_images(faces), ages=ages, judge=keep_judge()))

    assert set(files) == {"metrics.json", "nearest-neighbours.png"}
    metrics = json.loads(files["metrics.json"].content)
    names = [figure["name"] for figure in metrics["figures"]]
    assert {"age_rank_correlation", "frechet_distance"} <= set(names)
    assert len(names) == len(set(names))
    assert "distribution_figures" not in metrics


def test_without_a_judge_only_variety_is_measured(inner_engine, keep_images):
    faces, _ = synthetic_faces(4, 2)

    files = inner_engine.run(order(job=keep_images(faces), ages=[20.0, 20.0, 70.0, 70.0]))

    metrics = json.loads(files["metrics.json"].content)
    assert metrics["ages"] == "left out: there is no judge of ages"
    assert "age_rank_correlation" not in metrics
    assert metrics["diversity"]["feature_distance"]["ratio"] > 0


def test_a_checkpoint_is_measured_in_ten_bands_of_t(inner_engine, keep_network):
    subject = order(count=100, checkpoint=keep_network())

    files = inner_engine.run(subject)

    assert list(files) == ["metrics.json"]
    metrics = json.loads(files["metrics.json"].content)
    assert [figure["name"] for figure in metrics["figures"]][::9] == [
        "eps_loss_t_1_to_100",
        "eps_loss_t_901_to_1000",
    ]
    assert metrics["loss"] == pytest.approx(np.mean(metrics["loss_by_tenth"]))
    assert all(figure["n"] == 100 for figure in metrics["figures"])
    assert all(0 < f["standard_error"] < f["value"] for f in metrics["figures"])
    again = inner_engine.run(subject)
    assert again["metrics.json"].content == files["metrics.json"].content


@pytest.mark.parametrize("interrupt", list(Interrupt))
@pytest.mark.parametrize("subject", ["job", "checkpoint"])
def test_an_evaluation_is_broken_off(inner_engine, keep_images, keep_network, subject, interrupt):
    others, _ = synthetic_faces(IMAGES, 2)
    reference = keep_images(others) if subject == "job" else keep_network()
    inner_engine.interrupt_when = lambda engine: (
        interrupt if any(event.done for event in engine.said(Working)) else None
    )

    with pytest.raises(InterruptedShard) as broken_off:
        inner_engine.run(order(**{subject: reference}))

    assert broken_off.value.interrupt is interrupt
