"""Links from one thing to the next: absolute paths, so that no caller builds one."""

from api.routing import PREFIX
from jobs.contract import (
    ArtifactRole,
    ArtifactView,
    CheckpointView,
    JobList,
    JobStatus,
    JobView,
)


def job_path(job_id: str) -> str:
    """Where a job is."""
    return f"{PREFIX}/jobs/{job_id}"


def linked_job(job: JobView) -> JobView:
    """The job with links to what can be done with it now."""
    path = job_path(job.id)
    links = {"self": path} | {part: f"{path}/{part}" for part in ("shards", "artifacts", "events")}
    if not job.status.has_ended:
        links["cancel"] = f"{path}/cancel"
    if job.status is JobStatus.RUNNING:
        links["preview"] = f"{path}/preview"
    if job.status is JobStatus.SUCCEEDED:
        links["download"] = f"{path}/download"
    return job.model_copy(update={"links": links})


def linked_jobs(page: JobList) -> JobList:
    """The page with links in every job."""
    return page.model_copy(update={"items": [linked_job(job) for job in page.items]})


def linked_artifact(artifact: ArtifactView) -> ArtifactView:
    """The artifact with links; `image` is a URI template (RFC 6570) of single images."""
    path = f"{PREFIX}/artifacts/{artifact.id}"
    links = {"self": path, "job": job_path(artifact.job_id)}
    if artifact.role is ArtifactRole.IMAGES:
        links["image"] = f"{path}/images/{{index}}.png"
    return artifact.model_copy(update={"links": links})


def linked_checkpoint(checkpoint: CheckpointView) -> CheckpointView:
    """The checkpoint with links."""
    path = f"{PREFIX}/checkpoints/{checkpoint.id}"
    return checkpoint.model_copy(update={"links": {"self": path}})
