"""Jobs to report on, small, and one of each kind."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion import UNet, save_checkpoint
from diffusion.judge import AgeJudge
from diffusion.metrics.ages import judge_ages
from formats.description import CheckpointDescription
from formats.pictures import collage, encode_png
from jobs.requests import (
    EvaluateParams,
    GuidedSampleParams,
    MergeParams,
    SampleParams,
    TrainDdpmParams,
    TrainRegressorParams,
)
from reports.material import CheckpointFile, MadeJob, Material, PictureFile
from reports.sections import compose
from synthetic import synthetic_faces
from tests.reports.reading import sections_of

TENTHS = range(10)
METRICS: dict[str, Any] = {
    "mae_by_tenth": [5.0 + tenth for tenth in TENTHS],
    "predict_mean_mae_by_tenth": [17.25] * 10,
    "mse_by_tenth": [36.0 + 40 * tenth for tenth in TENTHS],
    "mae_low_noise": 5.03,
    "excluded_ages": {"missing": 41, "wrong": 3},
}
CURVES = {
    "loss": [(step, 400 / step) for step in range(1, 300)],
    "held_out_loss": [(10, 300.0), (200, 90.0)],
    "held_out_mae": [(10, 15.0), (200, 7.5)],
}
SEAMS = [
    {"t": 100, "seam_energy": None, "correlation_first": {"value": 0.97, "error": 0.004}},
    {"t": 300, "seam_energy": {"value": 1.25, "error": 0.125}, "correlation_first": 0.75},
]
FIGURES = [
    {"name": "frechet_distance", "value": 0.25, "standard_error": 0.01, "floor": None},
    {"name": "age_rank_correlation", "value": 0.9375, "standard_error": None, "floor": None},
]


@pytest.fixture(scope="session")
def predictor_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An untrained noise predictor of width 8."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("network") / "network.safetensors"
    save_checkpoint(path, UNet(8), CheckpointDescription("unet", 8))
    return path.read_bytes()


@pytest.fixture(scope="session")
def make_checkpoint(predictor_bytes: bytes) -> Callable[..., CheckpointFile]:
    """Makes a checkpoint that a job used or made; the file is always the noise predictor's."""

    def make(field: str = "checkpoint", checkpoint_id: str = "bundled", **facts: Any) -> Any:
        known = {"architecture": "unet", "width": 8, "timesteps": 1000} | facts
        sha256 = hashlib.sha256(json.dumps(known).encode()).hexdigest()
        return CheckpointFile(field, checkpoint_id, "a network", known, sha256, predictor_bytes)

    return make


def picture(count: int, columns: int, role: str = "collage") -> PictureFile:
    sheet = collage(synthetic_faces(count, 1)[0], columns)
    return PictureFile(role, f"{role}.png", encode_png(sheet), sheet.size)


def params(model: Any) -> dict[str, Any]:
    return dict(model.model_dump(mode="json"))


def ages_as_measured() -> list[dict[str, Any]]:
    """What an evaluation says of four faces, by a judge that knows nothing."""
    torch.manual_seed(0)
    told = judge_ages(synthetic_faces(4, 5)[0], [18, 18, 40.5, 40.5], AgeJudge(2).eval())
    return list(told["ages"])


@pytest.fixture(scope="session")
def all_kinds(make_checkpoint: Callable[..., CheckpointFile]) -> list[MadeJob]:
    """A job of each kind, in the order of the assignment."""
    predictor = make_checkpoint()
    regressor = {"architecture": "age_regressor", "metrics": METRICS}
    guided = GuidedSampleParams(seed=4, regressor="0123456789abcdef", target_ages=[18, 40.5])
    return [
        MadeJob(
            *("one", "sample", None, params(SampleParams(seed=1, count=4))),
            seconds=75.0,
            pictures=[picture(4, 2)],
            checkpoints=[predictor],
        ),
        MadeJob(
            *("two", "merge", "our pairs", params(MergeParams(seed=2, timesteps=[100, 300]))),
            pictures=[picture(12, 6)],
            checkpoints=[predictor],
            arrays={"sources.npy": b"sources"},
        ),
        MadeJob(
            *("three", "train_regressor", None, params(TrainRegressorParams(seed=3, width=8))),
            metrics=METRICS,
            checkpoints=[predictor, make_checkpoint("made", "0123456789abcdef", **regressor)],
            curves=CURVES,
        ),
        MadeJob(
            *("four", "guided_sample", None, params(guided)),
            pictures=[picture(8, 4)],
            checkpoints=[
                predictor,
                make_checkpoint("regressor", "0123456789abcdef", **regressor),
            ],
        ),
        MadeJob(
            *("five", "evaluate", None, params(EvaluateParams(job="four"))),
            pictures=[picture(6, 3, "figure")],
            metrics={
                **{"images": 8, "ages": ages_as_measured(), "figures": FIGURES},
                **{"age_rank_correlation": 0.9375, "new_figure": -0.875},
                **{"judge": {"sha256": "ab" * 32, "held_out_mae": 6.26}},
            },
        ),
        MadeJob(
            *("six", "evaluate", None, params(EvaluateParams(job="two"))),
            metrics={
                **{"images": 4, "merge": SEAMS, "figures": FIGURES, "plain_faces": 500},
                "plain_seam_energy": {"value": 1.125, "error": 0.03125},
            },
        ),
        MadeJob(
            *("seven", "train_ddpm", None, params(TrainDdpmParams(seed=5, width=8))),
            pictures=[picture(4, 2, "figure")],
            checkpoints=[make_checkpoint("made", "fedcba9876543210", dataset="synthetic faces")],
            curves={"loss": CURVES["loss"]},
        ),
    ]


@pytest.fixture(scope="session")
def material(all_kinds: list[MadeJob]) -> Material:
    """A report on a job of each kind."""
    return Material(None, all_kinds, "ada", "2026-11-25")


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[[bytes], Path]:
    """Unpacks a zip into a folder of this test's own."""

    def unpacked(content: bytes) -> Path:
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(folder)
        return folder

    return unpacked


@pytest.fixture(scope="session")
def make_picture() -> Callable[..., PictureFile]:
    """Makes a collage of so many faces in so many columns."""
    return picture


@pytest.fixture(scope="session")
def sections(material) -> dict[str, list]:
    return sections_of(compose(material))
