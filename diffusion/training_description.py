"""What a checkpoint says of the training that made it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from diffusion.held_out import may_have_learnt
from diffusion.prior import DataPrior
from diffusion.training import Training
from diffusion.training_data import TrainingFaces
from diffusion.training_loop import TrainingLoop
from formats.architectures import UNET
from formats.description import MAY_BE_LEARNT, CheckpointDescription


def describe_training(
    training: Training,
    dataset: str,
    prior: DataPrior | None = None,
    told: Mapping[str, Any] | None = None,
    *,
    by_tenth: Sequence[float] | None = None,
) -> CheckpointDescription:
    """Describe the averaged weights of a training, as they are now.

    At the end of the training, and only there, the held-out loss is measured for each tenth of
    the timesteps: it takes as long as ten of the training's own evaluations.

    Args:
        training: at any step.
        dataset: name of the faces, for people; their hash is added.
        prior: that is saved with the weights.
        told: more to say about the training, JSON values.
        by_tenth: its `held_out_loss_by_tenth` at the end, where that is measured already.

    Returns:
        A description whose `training` holds options, limit, amount and machine, and whose
        `metrics` hold the losses, and `held_out_may_be_learnt` where that is so.
    """
    schedule = training.initial_description or CheckpointDescription(UNET.name, 1)
    return replace(
        schedule,
        architecture=UNET.name,
        width=training.options.width,
        dataset=f"{dataset}, sha256 {training.faces.sha256}",
        training={
            **training_facts(training, training.faces),
            "principal_components": 0 if prior is None else len(prior.components),
            "initial_sha256": training.initial_sha256,
            **(told or {}),
        },
        metrics=_metrics(training, dataset, by_tenth),
        source="trained by darkroom; the exponential moving average of the weights",
    )


def training_facts(training: TrainingLoop[Any], faces: TrainingFaces) -> dict[str, Any]:
    """What was asked of a training, how much was done, and by which machine."""
    speed = training.images_seen / training.seconds if training.seconds else 0.0
    return {
        **asdict(training.options),
        "limit": training.limit.to_dict(),
        "share_done": round(training.share, 4),
        "steps": training.step,
        "images_seen": training.images_seen,
        "seconds": round(training.seconds, 1),
        "images_per_second": round(speed, 1),
        "faces_trained_on": faces.trained_on,
        "faces_held_out": faces.held_out,
        "torch": torch.__version__,
        "device": _device_name(training.device),
        "threads": torch.get_num_threads(),
        "precision": str(training.dtype).removeprefix("torch."),
    }


def _metrics(training: Training, dataset: str, by_tenth: Sequence[float] | None) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        name: round(points[-1][1], 5) for name, points in training.curves().items() if points
    }
    if training.share >= 1:
        by_tenth = by_tenth or training.held_out_loss_by_tenth()
        metrics["held_out_loss"] = round(sum(by_tenth) / len(by_tenth), 5)
        metrics["held_out_loss_by_tenth"] = [round(loss, 5) for loss in by_tenth]
    start, seed = training.initial_description, training.options.seed
    if may_have_learnt(start, dataset, training.faces, seed):
        metrics[MAY_BE_LEARNT] = True
    return metrics


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
