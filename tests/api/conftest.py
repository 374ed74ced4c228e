"""An application over a real database, Redis and folder, and jobs that a worker has ended."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from darkroom.web import create_app, end_streams
from formats.checkpoint import read_checkpoint
from formats.checkpoint_facts import checkpoint_facts
from formats.pictures import collage, encode_png
from jobs import job_transitions, store, transitions
from jobs.artifacts import ArtifactStore, attempt_folder
from jobs.contract import ArtifactRole
from jobs.database import Database
from jobs.messages import ArtifactRecord, Report, ReportStatus
from jobs.settings import WebSettings
from jobs.tables import Shard

WORKER = "worker-1"
CURVES = {"loss": [(1.0, 0.9), (2.0, 0.5)], "held_out_loss": [(2.0, 0.6)]}
METRICS = {"held_out_loss": 0.6, "images_seen": 128}
Faces = npt.NDArray[np.uint8]


@pytest.fixture
def app(web_settings: WebSettings) -> Iterator[Flask]:
    app = create_app(web_settings)
    yield app
    end_streams(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def import_file(client: FlaskClient) -> Callable[[Path], str]:
    """Send a checkpoint's file, and give the id by which jobs can name it."""

    def send(path: Path) -> str:
        answer = client.post(
            "/api/v1/checkpoints",
            data=path.read_bytes(),
            content_type="application/octet-stream",
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    return send


@pytest.fixture
def checkpoint_id(import_file: Callable[[Path], str], native_file: Path) -> str:
    """Id of a checkpoint that jobs can name."""
    return import_file(native_file)


@pytest.fixture
def submit(client: FlaskClient, checkpoint_id: str) -> Callable[..., str]:
    """Submit a job with these params and give its id."""

    def submit_job(**params: object) -> str:
        body = {"kind": "sample", "params": {"checkpoint": checkpoint_id} | params}
        answer = client.post("/api/v1/jobs", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json["id"])

    return submit_job


@pytest.fixture
def faces() -> Faces:
    """Twelve pictures that differ, uint8 (12, 48, 48)."""
    return np.random.default_rng(3).integers(0, 256, (12, 48, 48), np.uint8)


def _made_with(database: Database, job_id: str) -> dict[str, str]:
    """The hash of the job's checkpoint, as its worker would say it."""
    with database.read() as session:
        job = store.find_job(session, job_id)
        assert job is not None
        checkpoint = store.find_checkpoint(session, job.params["checkpoint"])
        assert checkpoint is not None
        return {"checkpoint": checkpoint.sha256}


@pytest.fixture
def finish(web_settings: WebSettings) -> Iterator[Callable[[str, Faces], None]]:
    """End a job with these images, as the dispatcher records the reports of its worker."""
    database = Database(web_settings.database_url)
    artifacts = ArtifactStore(web_settings.artifacts_url)

    def record(shard: Shard, files: list[ArtifactRecord]) -> None:
        with database.write() as session:
            assert transitions.send_anew(session, shard.id, 0, WORKER)
            report = Report(
                worker=WORKER,
                job_id=shard.job_id,
                shard_id=shard.id,
                attempt=1,
                seq=1,
                status=ReportStatus.SUCCEEDED,
                done=shard.total,
                artifacts=files,
                running=[],
            )
            assert transitions.record_report(session, report, max_losses=3).counts
            made = store.Made(shard.job_id, shard.id, report.artifacts)
            store.add_artifacts(session, [made])
            job_transitions.refresh_job(session, shard.job_id)

    def keep(
        shard: Shard, name: str, content: bytes, role: ArtifactRole, shape: list[int]
    ) -> ArtifactRecord:
        path = f"{attempt_folder(shard.job_id, shard.id, 1, WORKER)}/{name}"
        artifacts.write_bytes(path, content)
        return ArtifactRecord(
            role=role,
            name=name,
            path=path,
            shape=shape,
            media_type="image/png" if name.endswith(".png") else "application/x-npy",
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            checkpoints=_made_with(database, shard.job_id),
        )

    def keep_images(shard: Shard, images: Faces) -> ArtifactRecord:
        content = io.BytesIO()
        np.save(content, images)
        shape = list(images.shape)
        return keep(shard, "images.npy", content.getvalue(), ArtifactRole.IMAGES, shape)

    def finish_job(job_id: str, images: Faces) -> None:
        with database.read() as session:
            *shards, assembling = store.shards_of(session, job_id)
        for shard in shards:
            until = shard.first_image + shard.image_count
            record(shard, [keep_images(shard, images[shard.first_image : until])])
        sheet = encode_png(collage(images, 4))
        shape = [48 * -(-len(images) // 4), 192]
        record(
            assembling,
            [
                keep_images(assembling, images),
                keep(assembling, "collage.png", sheet, ArtifactRole.COLLAGE, shape),
            ],
        )

    yield finish_job
    database.close()


@pytest.fixture
def train(
    client: FlaskClient, web_settings: WebSettings, native_file: Path
) -> Iterator[Callable[..., str]]:
    """A training's id: submitted, reported to run with CURVES, and, if asked, ended well."""
    database = Database(web_settings.database_url)
    artifacts = ArtifactStore(web_settings.artifacts_url)

    def files(job_id: str, shard_id: str) -> list[ArtifactRecord]:
        made = {
            "noise-predictor.safetensors": (ArtifactRole.CHECKPOINT, native_file.read_bytes()),
            "metrics.json": (ArtifactRole.METRICS, json.dumps(METRICS).encode()),
        }
        tensors, description = read_checkpoint(native_file)
        records = []
        for name, (role, content) in made.items():
            path = f"{attempt_folder(job_id, shard_id, 1, WORKER)}/{name}"
            artifacts.write_bytes(path, content)
            facts = checkpoint_facts(description, tensors)
            records.append(
                ArtifactRecord(
                    role=role,
                    name=name,
                    path=path,
                    shape=[],
                    media_type="application/octet-stream",
                    size_bytes=len(content),
                    sha256=hashlib.sha256(content).hexdigest(),
                    details=facts if role is ArtifactRole.CHECKPOINT else {},
                )
            )
        return records

    def run(ends: bool, **params: Any) -> str:
        body = {"kind": "train_ddpm", "params": {"steps": 2} | params, "name": "Ours"}
        answer = client.post("/api/v1/jobs", json=body)
        assert answer.status_code == 202, answer.text
        job_id, shard_id = str(answer.json["id"]), f"{answer.json['id']}-0"
        with database.write() as session:
            assert transitions.send_anew(session, shard_id, 0, WORKER)
            report = Report(
                worker=WORKER,
                job_id=job_id,
                shard_id=shard_id,
                attempt=1,
                seq=1,
                status=ReportStatus.SUCCEEDED if ends else ReportStatus.RUNNING,
                done=1,
                curves=CURVES,
                artifacts=files(job_id, shard_id) if ends else [],
                running=[],
            )
            assert transitions.record_report(session, report, max_losses=3).counts
            if ends:
                made = store.Made(job_id, shard_id, report.artifacts)
                store.add_artifacts(session, [made])
                job = store.find_job(session, job_id)
                store.add_trained_checkpoints(session, job, report.artifacts)
            job_transitions.refresh_job(session, job_id)
        return job_id

    yield run
    database.close()
