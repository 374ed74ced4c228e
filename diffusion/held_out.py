"""Whether held-out faces are new to a network that a training goes on from."""

from diffusion.training_data import TrainingFaces
from formats.description import CheckpointDescription

MAY_BE_LEARNT = "held_out_may_be_learnt"  # in the metrics of a training; absent where it is not so


def may_have_learnt(start: CheckpointDescription | None, faces: TrainingFaces, seed: int) -> bool:
    """Whether `start` may have learnt from faces that this training holds out.

    Then errors on them look smaller than on faces that are new. The seed decides which are held
    out: of the same faces, a training with the same seed held out the same ones first.

    Args:
        start: what the training goes on from; None if from scratch.
        faces: of this training.
        seed: of this training.
    """
    if start is None or faces.sha256 not in start.dataset:
        return False
    held_out_before = start.training.get("faces_held_out", 0)
    return (
        start.metrics.get(MAY_BE_LEARNT) is True
        or start.training.get("seed") != seed
        or not isinstance(held_out_before, int)
        or held_out_before < faces.held_out
    )
