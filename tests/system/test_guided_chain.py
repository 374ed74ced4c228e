"""A regressor and the faces that it guides, through dispatcher and workers that are killed."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diffusion.aged_faces import FacesWithAges
from diffusion.checkpoints import load_checkpoint
from diffusion.regressor_training import RegressorTraining
from diffusion.training_options import RegressorOptions, TrainingLimit
from formats.checkpoint import read_checkpoint
from jobs.requests import job_request_adapter
from jobs.service import JobService, open_service
from synthetic import synthetic_faces
from tests.system.slowness import slowed

PATIENCE = 300.0  # seconds; a busy machine needs most of them
STEPS = 60
FACES = 200
TINY = {"width": 8, "batch_size": 8, "warmup_steps": 20, "seed": 7}
LIVELY = {
    "device": "cpu",
    "precision": "float32",
    "heartbeat_seconds": 0.5,
    "report_seconds": 0.1,
    "training_save_seconds": 0.2,
    "save_seconds": 0.2,
}


def submit(service: JobService, kind: str, **params: Any) -> str:
    request = job_request_adapter.validate_python({"kind": kind, "params": params})
    return service.submit(request, "local").job.id


def succeed(system, job_id: str) -> None:
    ended = system.wait_ended(job_id, PATIENCE)
    assert ended.status == "succeeded", ended.error


def made(system, job_id: str, role: str) -> bytes:
    (record,) = [
        a for a in system.service.list_artifacts(job_id) if a.role == role and a.shard is None
    ]
    return system.service.read_artifact(record.id)


@pytest.mark.chaos
def test_a_killed_regressor_and_the_faces_it_guides_are_the_same_bytes(
    system, eventually, checkpoint, checkpoint_file, tmp_path
):
    system.start_dispatcher(lease_seconds=8, resend_seconds=2)
    worker = system.start_worker(**LIVELY)
    training = submit(
        system.service,
        "train_regressor",
        checkpoint=checkpoint,
        synthetic_count=FACES,
        steps=STEPS,
        **TINY,
    )
    guided = {
        "checkpoint": checkpoint,
        "regressor": {"job": training},
        "target_ages": [18, 80],
        "faces_per_age": 2,
        "num_inference_steps": 80,
        "guidance_scale": 30.0,
        "seed": 3,
    }
    together = submit(system.service, "guided_sample", **guided)

    with slowed(worker, share=0.5):
        system.wait_done(training, STEPS // 2, PATIENCE)
        worker.engine().kill()
    eventually(lambda: system.resumed_steps(training), PATIENCE, "for another engine")
    with slowed(worker, share=0.5):
        succeed(system, training)
        eventually(lambda: system.saved_steps(together), PATIENCE, "for a saved state")
        worker.engine().kill()
    succeed(system, together)
    assert system.resumed_steps(together)
    assert_undisturbed(made(system, training, "checkpoint"), checkpoint_file, tmp_path)

    alone = submit_one_by_one(system, guided)
    succeed(system, alone)
    images = [np.load(io.BytesIO(made(system, job, "images"))) for job in (together, alone)]
    assert images[0].shape == (4, 48, 48)
    assert np.array_equal(*images)
    assert not np.array_equal(images[0][:2], images[0][2:])  # the ages differ


def submit_one_by_one(system, params: dict[str, Any]) -> str:
    """The same job, each image a shard of its own."""
    settings = system.settings.model_copy(update={"shard_images": 1})
    return submit(open_service(settings), "guided_sample", **params)


def assert_undisturbed(content: bytes, predictor: Path, folder: Path) -> None:
    """The weights are those that the core trains in one go."""
    path = folder / "regressor.safetensors"
    path.write_bytes(content)
    found, described = read_checkpoint(path)
    torch.set_num_threads(1)
    core = RegressorTraining(
        FacesWithAges(*synthetic_faces(FACES, 1)),
        RegressorOptions(**TINY),
        TrainingLimit(steps=STEPS),
        predictor=load_checkpoint(predictor),
        dtype=torch.float32,
    )
    for _ in core.run():
        pass
    for name, weight in core.best.state_dict().items():
        assert np.array_equal(found[name], weight.half().float().numpy()), name
    assert described.metrics["mae_by_tenth"]
