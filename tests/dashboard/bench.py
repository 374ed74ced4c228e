"""The hands of a dispatcher and a worker, so that pages can be seen at every moment of a job."""

import io
import itertools
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from formats.architectures import unet_shapes
from formats.checkpoint import read_checkpoint, write_checkpoint
from formats.checkpoint_facts import checkpoint_facts
from formats.description import CheckpointDescription
from formats.pictures import collage, encode_png
from jobs import job_transitions, store, transitions
from jobs.artifacts import attempt_folder
from jobs.contract import ArtifactRole, JobUpdate, WorkerUsage
from jobs.messages import ArtifactRecord, Heartbeat, Report, ReportStatus
from jobs.requests import job_request_adapter
from jobs.service import JobService
from jobs.settings import WebSettings
from jobs.streams import DispatcherStreams, WorkerStreams
from jobs.tables import Job, Shard
from jobs.workers import note_worker
from synthetic import synthetic_faces

WORKER = "gpu-box-1"


@dataclass
class Bench:
    """A service, and the hands of a dispatcher and a worker."""

    service: JobService
    settings: WebSettings
    folder: Path
    checkpoint: str = ""

    def __post_init__(self) -> None:
        self._seq = itertools.count(1)
        self._updates = DispatcherStreams(self.settings.redis_url)
        self._previews = WorkerStreams(self.settings.redis_url, WORKER)
        self.checkpoint = self.import_checkpoint("course.safetensors", "Course network")

    def checkpoint_file(self, name: str, width: int = 2) -> Path:
        """A file with a small network of random weights."""
        random = np.random.default_rng(7)
        path = self.folder / name
        weights = {
            key: random.standard_normal(shape).astype(np.float32)
            for key, shape in unet_shapes(width).items()
        }
        write_checkpoint(path, weights, CheckpointDescription("unet", width))
        return path

    def import_checkpoint(self, file: str, name: str) -> str:
        return self.service.import_checkpoint(self.checkpoint_file(file), name).id

    def submit(self, name: str | None = None, submitter: str = "ada", **params: Any) -> str:
        params = {"checkpoint": self.checkpoint, "seed": 2**64 - 1} | params
        request = job_request_adapter.validate_python(
            {"kind": "sample", "name": name, "params": params}
        )
        return self.service.submit(request, submitter).job.id

    def submit_kind(self, kind: str, name: str | None = None, **params: Any) -> str:
        request = job_request_adapter.validate_python(
            {"kind": kind, "name": name, "params": params}
        )
        return self.service.submit(request, "ada").job.id

    def train_on(self, job: str, done: int, version: int = 1) -> None:
        """A training has come so far: its loss falls, and a sheet shows what it draws."""
        shard = self.service.list_shards(job)[0]
        sheet = collage(_faces(20, version), 10)
        self._previews.put_preview(shard.id, version, encode_png(sheet))
        self.report(job, 0, done=done, curves=training_curves(done), preview_version=version)

    def end(self, job: str, files: dict[str, tuple[ArtifactRole, bytes, list[int]]]) -> None:
        """The one shard of a job succeeds with these files."""
        total = self.service.get_job(job).progress.total
        curves = training_curves(total) if self.service.curves(job).curves else {}
        self.report(job, 0, ReportStatus.SUCCEEDED, files=files, done=total, curves=curves)

    def worker_is_online(self, worker: str = WORKER) -> None:
        heartbeat = Heartbeat(
            worker=worker,
            queue=worker,
            host="lab",
            pid=1,
            version="0.1.0",
            slots=1,
            running=[],
            usage=WorkerUsage(
                memory_bytes=1_500_000_000,
                host_memory_bytes=16_000_000_000,
                cpu_percent=99.6,
                gpu_memory_bytes=12_000_000_000,
                gpu_total_memory_bytes=80_000_000_000,
                gpu_percent=97.0,
            ),
            capabilities={
                "device": "cuda:0",
                "name": "H200",
                "precision": "bfloat16",
                "threads": 4,
                "torch": "2.13.0",
                "python": "3.11.7",
                "kinds": ["evaluate", "sample", "train_ddpm"],
            },
        )
        with self.service._database.write() as session:
            note_worker(session, heartbeat)

    def tell_of_workers(self) -> None:
        """Pages hear that workers have come or gone."""
        self._updates.conclude(reset=True)

    def report(
        self,
        job: str,
        index: int,
        status: ReportStatus = ReportStatus.RUNNING,
        step: int = 0,
        worker: str = WORKER,
        files: dict[str, tuple[ArtifactRole, bytes, list[int]]] | None = None,
        **said: Any,
    ) -> None:
        """A report of this shard's newest attempt is recorded; it is sent first if it waits."""
        with self.service._database.write() as session:
            shard = session.get_one(Shard, f"{job}-{index}")
            if shard.holder is None and shard.sent_to is None:
                transitions.send_anew(session, shard.id, shard.attempt, worker)
                session.refresh(shard)
            artifacts = []
            if status is ReportStatus.SUCCEEDED:
                artifacts = self._keep(shard, worker, files or self._results(shard))
            report = Report(
                worker=worker,
                job_id=job,
                shard_id=shard.id,
                attempt=shard.attempt,
                seq=next(self._seq),
                status=status,
                done=said.pop("done", step * shard.image_count if shard.kind == "sample" else 0),
                running=[],
                **said,
            )
            recorded = transitions.record_report(session, report, 3)
            assert recorded.counts
            if artifacts:
                made = store.Made(shard.job_id, shard.id, artifacts)
                store.add_artifacts(session, [made])
                store.add_trained_checkpoints(session, session.get_one(Job, job), artifacts)
            job_transitions.refresh_job(session, job)
        version = said.get("preview_version")
        self.publish(job, {index: version} if version else {}, recorded.is_change)

    def publish(self, job: str, previews: dict[int, int], shards_changed: bool) -> None:
        view = self.service.get_job(job)
        update = JobUpdate(
            job_id=job,
            status=view.status,
            status_seq=view.status_seq,
            progress=view.progress,
            previews=previews,
            shards_changed=shards_changed,
        )
        self._updates.conclude(updates=[update])

    def show_preview(self, job: str, index: int, step: int, version: int) -> None:
        """The shard's faces appear out of noise, and the report says that there is a preview."""
        shard = self.service.list_shards(job)[index]
        total = self.service.get_job(job).params["num_inference_steps"]
        share = step / total
        faces = _faces(shard.image_count, shard.first_image).astype(np.float64)
        noise = np.random.default_rng(version).normal(128, 64, faces.shape)
        mixed = np.clip(share * faces + (1 - share) * noise, 0, 255).astype(np.uint8)
        self._previews.put_preview(shard.id, version, encode_png(collage(mixed, 10)))
        self.report(job, index, step=step, preview_version=version)

    def finish(self, job: str) -> None:
        """Every shard succeeds, and then the collage is made."""
        steps = self.service.get_job(job).params["num_inference_steps"]
        for shard in self.service.list_shards(job):
            if not shard.status.has_ended:
                self.report(job, shard.index, step=steps)
                self.report(job, shard.index, ReportStatus.SUCCEEDED, step=steps)

    def _results(self, shard: Shard) -> dict[str, tuple[ArtifactRole, bytes, list[int]]]:
        faces = _faces(shard.image_count, shard.first_image)
        array = io.BytesIO()
        np.save(array, faces)
        files = {"images.npy": (ArtifactRole.IMAGES, array.getvalue(), list(faces.shape))}
        if shard.kind == "assemble":
            columns = self.service.get_job(shard.job_id).params["columns"]
            sheet = collage(faces, columns)
            size = [sheet.height, sheet.width]
            files["collage.png"] = (ArtifactRole.COLLAGE, encode_png(sheet), size)
        return files

    def _keep(
        self,
        shard: Shard,
        worker: str,
        files: dict[str, tuple[ArtifactRole, bytes, list[int]]],
    ) -> list[ArtifactRecord]:
        folder = attempt_folder(shard.job_id, shard.id, shard.attempt, worker)
        records = []
        for name, (role, content, shape) in files.items():
            self.service._artifacts.write_bytes(f"{folder}/{name}", content)
            records.append(
                ArtifactRecord(
                    role=role,
                    name=name,
                    path=f"{folder}/{name}",
                    shape=shape,
                    media_type="image/png" if name.endswith("png") else "application/octet-stream",
                    size_bytes=len(content),
                    sha256=sha256(content).hexdigest(),
                    details=self._facts(content) if role is ArtifactRole.CHECKPOINT else {},
                )
            )
        return records

    def _facts(self, content: bytes) -> dict[str, Any]:
        path = self.folder / "trained.safetensors"
        path.write_bytes(content)
        tensors, description = read_checkpoint(path)
        return checkpoint_facts(description, tensors)


def training_curves(done: int) -> dict[str, list[tuple[float, float]]]:
    """Losses that fall with the steps, as a training reports them."""
    steps = np.unique(np.linspace(1, max(done, 1), 60).astype(int))
    loss = 0.04 + 0.9 / (1 + steps / 20)
    held_out = steps[::6]
    return {
        "loss": [(float(step), float(value)) for step, value in zip(steps, loss, strict=True)],
        "held_out_loss": [(float(step), 0.05 + 0.9 / (1 + float(step) / 20)) for step in held_out],
    }


def _faces(count: int, start: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return synthetic_faces(count, seed=7, start=start)[0]
