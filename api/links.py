"""Links from one thing to the next: absolute paths, so that no caller builds one."""

from typing import TypeVar

from api.routing import PREFIX
from jobs.contract import (
    ArtifactRole,
    ArtifactView,
    CheckpointView,
    DatasetView,
    JobList,
    JobStatus,
    JobView,
    UploadView,
)
from jobs.kinds import KINDS

View = TypeVar("View", bound=JobView)


def job_path(job_id: str) -> str:
    """Where a job is."""
    return f"{PREFIX}/jobs/{job_id}"


def linked_job(job: View) -> View:
    """The job with links to what can be done with it now."""
    path = job_path(job.id)
    links = {"self": path} | {part: f"{path}/{part}" for part in ("shards", "artifacts", "events")}
    if not job.status.has_ended:
        links["cancel"] = f"{path}/cancel"
    else:
        links["retry"] = f"{path}/retry"
    if job.status is JobStatus.RUNNING:
        links["preview"] = f"{path}/preview"
    if KINDS[job.kind].trains:
        links["curves"] = f"{path}/curves"
    if job.status is JobStatus.SUCCEEDED:
        links["download"] = f"{path}/download"
    if job.retry_of is not None:
        links["retry_of"] = job_path(job.retry_of)
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
    if artifact.role is ArtifactRole.CHECKPOINT:
        links["checkpoint"] = _checkpoint_path(artifact.sha256[:16])
    return artifact.model_copy(update={"links": links})


def linked_checkpoint(checkpoint: CheckpointView) -> CheckpointView:
    """The checkpoint with links."""
    path = _checkpoint_path(checkpoint.id)
    links = {"self": path, "file": f"{path}/file"}
    if checkpoint.job_id is not None:
        links["job"] = job_path(checkpoint.job_id)
    return checkpoint.model_copy(update={"links": links})


def linked_dataset(dataset: DatasetView) -> DatasetView:
    """The dataset with links."""
    path = f"{PREFIX}/datasets/{dataset.id}"
    links = {"self": path, "contact_sheet": f"{path}/contact-sheet.png"}
    return dataset.model_copy(update={"links": links})


def linked_upload(upload: UploadView) -> UploadView:
    """The upload with links."""
    path = f"{PREFIX}/uploads/{upload.id}"
    return upload.model_copy(update={"links": {"self": path, "file": f"{path}/file"}})


def _checkpoint_path(checkpoint_id: str) -> str:
    return f"{PREFIX}/checkpoints/{checkpoint_id}"
