"""What a checkpoint tells of the training that made it."""

import numpy as np
import pytest
import torch

from diffusion.training import Training
from diffusion.training_description import describe_training
from diffusion.training_options import TrainingLimit, TrainingOptions
from formats.description import CheckpointDescription
from tests.diffusion.test_training import OPTIONS, Faces


def test_a_description_tells_the_training(wavy_faces: Faces) -> None:
    limit = TrainingLimit(images=32)
    training = Training(wavy_faces(40), TrainingOptions(**OPTIONS), limit, dtype=torch.float32)
    for _ in range(2):
        training.advance()
    unfinished = describe_training(training, "waves", told={"command": "by hand"})
    list(training.run())
    finished = describe_training(training, "waves")

    assert unfinished.training["share_done"] == 0.5
    assert unfinished.training["command"] == "by hand"
    assert "held_out_loss_by_tenth" not in unfinished.metrics
    assert (
        finished.training.items()
        >= {
            **OPTIONS,
            "limit": {"images": 32},
            "steps": 4,
            "images_seen": 32,
            "faces_trained_on": 36,
            "faces_held_out": 4,
            "principal_components": 0,
            "initial_sha256": None,
            "device": "cpu",
            "precision": "float32",
            "torch": torch.__version__,
        }.items()
    )
    assert finished.training["seconds"] >= unfinished.training["seconds"]
    by_tenth = training.held_out_loss_by_tenth()
    assert describe_training(training, "waves", by_tenth=by_tenth) == finished
    assert finished.metrics["held_out_loss_by_tenth"] == [round(loss, 5) for loss in by_tenth]
    assert finished.metrics["held_out_loss"] == pytest.approx(np.mean(by_tenth), abs=1e-5)
    assert CheckpointDescription.from_json(finished.to_json()) == finished
