"""Whether held-out faces are new to a network that a training goes on from."""

import re

from diffusion.training_data import TrainingFaces
from formats.description import MAY_BE_LEARNT, CheckpointDescription

RENDERED = re.compile(r"synthetic faces \d+ to \d+ of seed (\d+)")


def may_have_learnt(
    start: CheckpointDescription | None, dataset: str, faces: TrainingFaces, seed: int
) -> bool:
    """Whether `start` may have learnt from faces that this training holds out.

    Then errors on them look smaller than on faces that are new. The seed decides which are held
    out: of the same faces, a training with the same seed held out the same ones first. Only the
    last training of `start` is looked at, and what it said of its own start.

    Args:
        start: what the training goes on from; None if from scratch.
        dataset: name of the faces; two rendered sets of one seed have the smaller one in common.
        faces: of this training.
        seed: of this training.
    """
    if start is None:
        return False
    if faces.sha256 not in start.dataset:
        people, known = RENDERED.match(dataset), RENDERED.match(start.dataset)
        return people is not None and known is not None and people[1] == known[1]
    held_out_before = start.training.get("faces_held_out")
    return (
        start.metrics.get(MAY_BE_LEARNT) is True
        or start.training.get("seed") != seed
        or not isinstance(held_out_before, int)
        or held_out_before < faces.held_out
    )
