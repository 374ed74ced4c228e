"""Rows of the database as callers see them."""

from jobs.contract import (
    ArtifactRole,
    ArtifactView,
    CheckpointView,
    ErrorInfo,
    JobStatus,
    JobView,
    Progress,
    ShardView,
    WorkerView,
)
from jobs.tables import Artifact, Checkpoint, Job, Shard, Worker


def job_view(job: Job, waiting_reason: str | None) -> JobView:
    """A job, with the reason why it waits."""
    return JobView(
        id=job.id,
        kind=job.kind,
        name=job.name,
        submitter=job.submitter,
        priority=job.priority,
        status=JobStatus(job.status),
        status_seq=job.status_seq,
        waiting_reason=waiting_reason,
        params=job.params,
        progress=Progress(done=job.done, total=job.total),
        error=None if job.error is None else ErrorInfo.model_validate(job.error),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def shard_view(shard: Shard) -> ShardView:
    """A shard; its worker is its holder, or whom it was sent to."""
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
        progress=Progress(done=shard.done, total=shard.total),
        preview_version=shard.preview_version,
        error=None if shard.error is None else ErrorInfo.model_validate(shard.error),
        started_at=shard.started_at,
        finished_at=shard.finished_at,
    )


def artifact_view(artifact: Artifact, shard: Shard) -> ArtifactView:
    """An artifact; one of the shard that assembles the job is the whole's."""
    return ArtifactView(
        id=artifact.id,
        job_id=artifact.job_id,
        shard=None if shard.kind == "assemble" else shard.index,
        role=ArtifactRole(artifact.role),
        name=artifact.name,
        shape=artifact.shape,
        media_type=artifact.media_type,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
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
        created_at=checkpoint.created_at,
    )


def worker_view(worker: Worker) -> WorkerView:
    """A worker."""
    return WorkerView(
        id=worker.id,
        host=worker.host,
        version=worker.version,
        capabilities=worker.capabilities,
        slots=worker.slots,
        first_seen_at=worker.first_seen_at,
        last_seen_at=worker.last_seen_at,
    )
