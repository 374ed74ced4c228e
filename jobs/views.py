"""Rows of the database as callers see them."""

from collections.abc import Sequence

from jobs import __version__, store
from jobs.contract import (
    ArtifactRole,
    ArtifactView,
    CheckpointView,
    DatasetView,
    ErrorInfo,
    JobStatus,
    JobView,
    Progress,
    ShardView,
    UploadView,
    WorkerUsage,
    WorkerView,
)
from jobs.kinds import KINDS
from jobs.messages import PROTOCOL
from jobs.tables import Artifact, Checkpoint, Dataset, Job, Shard, Upload, Worker


def job_view(
    job: Job, waiting_reason: str | None, parents: Sequence[Job], notice: str | None = None
) -> JobView:
    """A job, with why it waits or what hinders it, and the jobs that must succeed first."""
    return JobView(
        id=job.id,
        kind=job.kind,
        name=job.name,
        submitter=job.submitter,
        priority=job.priority,
        status=JobStatus(job.status),
        status_seq=job.status_seq,
        waiting_reason=waiting_reason,
        notice=notice,
        params=job.params,
        progress=Progress(done=job.done, total=job.total, unit=unit_of(job)),
        after=[parent.id for parent in parents],
        batch=job.batch_id,
        retry_of=job.retry_of,
        error=None if job.error is None else ErrorInfo.model_validate(job.error),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def unit_of(job: Job) -> str:
    """What the job's progress counts."""
    kind = KINDS[job.kind]
    return kind.unit(kind.params.model_validate(job.params))


def shard_view(shard: Shard, unit: str) -> ShardView:
    """A shard of a job with this unit; its worker is its holder, or whom it was sent to."""
    return ShardView(
        id=shard.id,
        index=shard.index,
        kind=shard.kind,
        status=JobStatus(shard.status),
        attempt=shard.attempt,
        worker=shard.holder or shard.sent_to,
        losses=shard.losses,
        first_image=shard.first_image,
        image_count=shard.image_count,
        progress=Progress(done=shard.done, total=shard.total, unit=unit),
        preview_version=shard.preview_version,
        notice=shard.notice,
        error=None if shard.error is None else ErrorInfo.model_validate(shard.error),
        started_at=shard.started_at,
        finished_at=shard.finished_at,
    )


def artifact_view(artifact: Artifact, shard: Shard) -> ArtifactView:
    """An artifact; all but the pieces of shards of images are the whole's."""
    return ArtifactView(
        id=artifact.id,
        job_id=artifact.job_id,
        shard=shard.index if store.is_piece(shard) else None,
        role=ArtifactRole(artifact.role),
        name=artifact.name,
        shape=artifact.shape,
        media_type=artifact.media_type,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
        checkpoints=artifact.checkpoints or {},
    )


def checkpoint_view(checkpoint: Checkpoint) -> CheckpointView:
    """A checkpoint."""
    return CheckpointView(
        id=checkpoint.id,
        name=checkpoint.name,
        architecture=checkpoint.architecture,
        width=checkpoint.width,
        sha256=checkpoint.sha256,
        size_bytes=checkpoint.size_bytes,
        description=checkpoint.description,
        job_id=checkpoint.job_id,
        created_at=checkpoint.created_at,
    )


def dataset_view(dataset: Dataset) -> DatasetView:
    """A dataset that is kept."""
    return DatasetView(
        id=dataset.id,
        name=dataset.name,
        sha256=dataset.sha256,
        count=dataset.count,
        size_bytes=dataset.size_bytes,
        created_at=dataset.created_at,
        **dataset.figures,
    )


def upload_view(upload: Upload) -> UploadView:
    """A picture that was uploaded."""
    return UploadView(
        id=upload.id,
        name=upload.name,
        width=upload.width,
        height=upload.height,
        sha256=upload.sha256,
        size_bytes=upload.size_bytes,
        created_at=upload.created_at,
    )


def worker_view(worker: Worker, running: Sequence[str] = ()) -> WorkerView:
    """A worker, with the ids of the shards that it runs."""
    return WorkerView(
        id=worker.id,
        host=worker.host,
        version=worker.version,
        protocol=worker.protocol,
        incompatible=_incompatible(worker),
        capabilities=worker.capabilities,
        usage=WorkerUsage.model_validate(worker.usage) if worker.usage else None,
        slots=0 if worker.drained_at else worker.slots,
        drained_at=worker.drained_at,
        drained_by=worker.drained_by,
        running=list(running),
        first_seen_at=worker.first_seen_at,
        last_seen_at=worker.last_seen_at,
    )


def _incompatible(worker: Worker) -> str | None:
    """Why it gets no work, if it speaks another protocol (0 is not known yet)."""
    if worker.protocol in (0, PROTOCOL):
        return None
    return (
        f"It is version {worker.version} and speaks protocol {worker.protocol}; this Darkroom is "
        f"version {__version__} and speaks {PROTOCOL}: install the same version on both."
    )
