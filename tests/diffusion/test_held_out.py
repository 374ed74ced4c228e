"""Going on from a network that may know the faces on which the errors are measured."""

import numpy as np
import pytest
import torch

from diffusion import Checkpoint, Training, TrainingOptions, UNet, linear_betas
from diffusion.aged_faces import FacesWithAges
from diffusion.checkpoints import RegressorCheckpoint
from diffusion.held_out import may_have_learnt
from diffusion.regressor_description import describe_regressor
from diffusion.regressor_training import RegressorTraining, StartNetwork
from diffusion.training_data import TrainingFaces
from diffusion.training_description import describe_training
from diffusion.training_options import RegressorOptions, TrainingLimit
from formats.description import MAY_BE_LEARNT, CheckpointDescription
from formats.faces import Faces
from synthetic import synthetic_faces

SAME = {"width": 4, "batch_size": 4, "seed": 3, "holdout_fraction": 0.2}
FACES, AGES = synthetic_faces(40, seed=1)
CHANGES = [
    pytest.param({}, False, id="the same faces are held out"),
    pytest.param({"holdout_fraction": 0.1}, False, id="fewer of them"),
    pytest.param({"holdout_fraction": 0.3}, True, id="more than them"),
    pytest.param({"seed": 4}, True, id="others"),
]


def train_regressor(initial: StartNetwork, faces: Faces = FACES, **changed: object):
    training = RegressorTraining(
        FacesWithAges(faces, AGES),
        RegressorOptions(**SAME | changed),
        TrainingLimit(steps=1),
        predictor=initial,
        dtype=torch.float32,
    )
    training.advance()
    described = describe_regressor(training, initial, "faces")
    return RegressorCheckpoint(training.best, linear_betas(), described, None)


def train_ddpm(start: Checkpoint | None, faces: Faces = FACES, **changed: object) -> Checkpoint:
    training = Training(
        faces,
        TrainingOptions(**SAME | changed),
        TrainingLimit(steps=2),
        initial=start,
        dtype=torch.float32,
    )
    training.advance()
    return Checkpoint(training.averaged, linear_betas(), describe_training(training, "faces"))


def is_said(trained: Checkpoint | RegressorCheckpoint) -> bool:
    assert trained.description.metrics.get(MAY_BE_LEARNT) in (None, True)
    return MAY_BE_LEARNT in trained.description.metrics


@pytest.mark.parametrize(("changed", "expected"), CHANGES)
def test_a_regressor_says_so_where_its_start_was_trained_on_its_held_out_faces(
    changed: dict[str, object], expected: bool
) -> None:
    first = train_regressor(train_ddpm(None, seed=9))
    second = train_regressor(first, **changed)

    assert not is_said(first)  # a noise predictor knows no ages
    assert is_said(second) == expected
    assert is_said(train_regressor(second, **changed)) == expected  # it is not forgotten
    others = np.ascontiguousarray(FACES[:, :, ::-1])
    assert not is_said(train_regressor(second, others, **changed))
    assert not is_said(train_regressor(second, start="scratch", **changed))


@pytest.mark.parametrize(("changed", "expected"), CHANGES)
def test_so_does_a_noise_predictor(changed: dict[str, object], expected: bool) -> None:
    first = train_ddpm(None)

    assert not is_said(first)
    assert is_said(train_ddpm(first, **changed)) == expected
    unknown = Checkpoint(UNet(4), linear_betas(), CheckpointDescription("unet", 4))
    assert not is_said(train_ddpm(unknown, **changed))


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("synthetic faces 0 to 99999 of seed 1", "synthetic faces 0 to 39999 of seed 1", True),
        ("synthetic faces 0 to 99999 of seed 1", "synthetic faces 0 to 39999 of seed 11", False),
        ("synthetic faces 0 to 99999 of seed 1", "Ours", False),
        ("Ours", "Ours", False),  # a name, of other faces
    ],
)
def test_rendered_faces_of_one_seed_are_the_same_people(
    before: str, now: str, expected: bool
) -> None:
    start = CheckpointDescription("unet", 4, dataset=f"{before}, sha256 {'0' * 64}")
    faces = TrainingFaces(FACES, TrainingOptions(**SAME), 1000, torch.device("cpu"))
    assert may_have_learnt(start, now, faces, seed=SAME["seed"]) == expected
