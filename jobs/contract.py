"""What callers receive: the views of what is kept. `requests.py` holds what they send.

Everything here is pure pydantic; the API's OpenAPI document is generated from it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

NO_NUL = r"^[^\x00]*$"  # PostgreSQL keeps this character in no text


class Contract(BaseModel):
    """Base of everything that crosses a boundary: frozen, and unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class JobStatus(StrEnum):
    """Status of a job or a shard."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def has_ended(self) -> bool:
        """Whether nothing follows this status."""
        return self not in ACTIVE


ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)
ACTIVE_VALUES = tuple(status.value for status in ACTIVE)


class ErrorInfo(Contract):
    """Why a job or a shard failed, or why a job that waited for another was canceled."""

    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="For people.")
    details: dict[str, Any] = Field(
        default_factory=dict, description="What is known: signal, step, memory, worker, log lines."
    )


class Progress(Contract):
    """How far a job is."""

    done: int = Field(ge=0)
    total: int = Field(ge=0)
    unit: str = Field("image-steps", description="image-steps, steps, images, seconds or faces.")


class EstimateView(Contract):
    """When a job will start and end, each from the best to the worst case of what was measured."""

    start: tuple[datetime, datetime] | None = Field(
        None, description="Null: it has started, or there is no estimate."
    )
    end: tuple[datetime, datetime] | None = None
    reason: str | None = Field(None, description="Why there is no estimate, in one sentence.")


class JobView(Contract):
    """A job as callers see it."""

    id: str
    kind: str
    name: str | None
    submitter: str
    priority: int
    status: JobStatus
    status_seq: int = Field(description="Grows with every change of this job.")
    waiting_reason: str | None = Field(
        description="Why it, or some of its shards, wait, in one sentence."
    )
    estimate: EstimateView | None = Field(
        None, description="Of a job that has not ended, looked at alone."
    )
    notice: str | None = Field(None, description="What hinders it while it runs, in one sentence.")
    params: dict[str, Any]
    progress: Progress
    error: ErrorInfo | None
    after: list[str] = Field(
        default_factory=list,
        description="Ids of the jobs that must succeed first: those of `after` in its request, and "
        "those that its `params` name.",
    )
    batch: str | None = Field(None, description="What the jobs of one submission have in common.")
    retry_of: str | None = Field(description="The job that this one makes anew.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: dict[str, str] = Field(default_factory=dict)


class CanceledJob(JobView):
    """A job that was canceled now, and what ended with it."""

    also_canceled: list[str] = Field(
        default_factory=list, description="Ids of the jobs that waited for it."
    )


class Reference(Contract):
    """What needs something that was to be deleted."""

    type: str = Field(description="job, or darkroom for what comes with it.")
    id: str
    kind: str | None = Field(None, description="Of a job.")


class Deleted(Contract):
    """What was deleted now."""

    type: str = Field(description="job, checkpoint, dataset or upload.")
    id: str
    checkpoints: list[str] = Field(
        default_factory=list, description="Of a job: ids of the checkpoints that went with it."
    )
    files_left: bool = Field(
        False, description="Its files are still there: the dispatcher deletes them later."
    )


class JobList(Contract):
    """A page of jobs, newest first."""

    items: list[JobView]
    next_cursor: str | None


class ShardView(Contract):
    """A part of a job that one worker runs."""

    id: str
    index: int
    kind: str = Field(description="The job's, or `assemble` for what follows all others.")
    status: JobStatus
    attempt: int = Field(description="Deliveries so far; raised after a loss or a hand-back.")
    worker: str | None = Field(description="Who holds it, or held it last.")
    losses: int
    first_image: int
    image_count: int
    progress: Progress
    preview_version: int = Field(description="0 while there is no preview.")
    notice: str | None = Field(None, description="What hinders its worker now, in one sentence.")
    error: ErrorInfo | None
    started_at: datetime | None
    finished_at: datetime | None


class ArtifactRole(StrEnum):
    """What an artifact is for."""

    IMAGES = "images"
    SOURCES = "sources"  # faces that were merged
    COLLAGE = "collage"
    FIGURE = "figure"
    TRAJECTORY = "trajectory"
    CHECKPOINT = "checkpoint"
    METRICS = "metrics"
    REPORT = "report"


class ArtifactView(Contract):
    """A file that a job made."""

    id: str
    job_id: str
    shard: int | None = Field(description="Index of the shard for a piece; null for the whole.")
    role: ArtifactRole
    name: str
    shape: list[int] = Field(description="(N, 48, 48) of images; height, width of a picture.")
    media_type: str
    size_bytes: int
    sha256: str
    checkpoints: dict[str, str] = Field(
        description="SHA-256 of what it was made with, by the parameter that named it."
    )
    links: dict[str, str] = Field(default_factory=dict)


class CheckpointView(Contract):
    """A model's weights and their description."""

    id: str = Field(
        description="The first 16 hexadecimal digits of its SHA-256; of a bundled one its own id."
    )
    name: str
    architecture: str
    width: int
    sha256: str
    size_bytes: int
    description: dict[str, Any]
    job_id: str | None = Field(description="The job that trained it; null if it was imported.")
    created_at: datetime
    links: dict[str, str] = Field(default_factory=dict)


class DatasetView(Contract):
    """Faces to train on or to compare with, and what they are like."""

    id: str = Field(description="The first 16 hexadecimal digits of its SHA-256, or `synthetic`.")
    name: str
    sha256: str | None = Field(description="Of the faces' and ages' bytes; null for `synthetic`.")
    count: int | None = Field(description="Faces; null for `synthetic`, which has as many as asked")
    aged_count: int | None = Field(description="Faces with an age of 0 to 100 years.")
    missing_ages: int = Field(description="Ages below 0: not known.")
    wrong_ages: int = Field(description="Ages above 100: left out of what needs an age.")
    pixel_mean: float = Field(description="Of all pixels, in [-1, 1].")
    pixel_deviation: float = Field(description="Standard deviation of all pixels.")
    brightness_deviation: float = Field(description="Standard deviation of the faces' means.")
    age_histogram: list[int] = Field(description="Faces by decade: 0 … 9, …, 90 … 100; or empty.")
    size_bytes: int
    created_at: datetime | None
    links: dict[str, str] = Field(default_factory=dict)


class UploadView(Contract):
    """A picture that was uploaded: a face or a mask."""

    id: str = Field(description="The first 16 hexadecimal digits of its SHA-256.")
    name: str
    width: int
    height: int
    sha256: str = Field(description="Of the file as it is kept.")
    size_bytes: int
    created_at: datetime
    links: dict[str, str] = Field(default_factory=dict)


Curves = dict[str, list[tuple[float, float]]]  # name → points (training step, value)


class CurvesView(Contract):
    """Curves of a job that trains, as far as they are."""

    curves: Curves = Field(description="Name → points: training step and value.")


class WorkerUsage(Contract):
    """What a worker used of its machine when it was heard last."""

    memory_bytes: int = Field(description="Resident, of consumer and engine.")
    host_memory_bytes: int = Field(description="What its machine has.")
    cpu_percent: float = Field(description="Of one core, by consumer and engine: 200 is two cores.")
    gpu_memory_bytes: int | None = Field(None, description="In use on its GPU, by all programs.")
    gpu_total_memory_bytes: int | None = Field(None, description="What its GPU has.")
    gpu_percent: float | None = Field(None, description="How much of the time its GPU worked.")


class WorkerView(Contract):
    """A worker that has been heard."""

    id: str
    host: str
    version: str
    protocol: int = Field(description="Of its messages: only workers of the same get work.")
    incompatible: str | None = Field(
        None, description="Why it gets no work, with both versions; null if it speaks as we do."
    )
    capabilities: dict[str, Any]
    usage: WorkerUsage | None = Field(None, description="Null before its first measurement.")
    slots: int = Field(description="0 while it takes no shards.")
    drained_at: datetime | None = Field(None, description="Since when it gets no more shards.")
    drained_by: str | None = Field(None, description="Who asked for that.")
    running: list[str] = Field(default_factory=list, description="Ids of the shards that it runs.")
    first_seen_at: datetime
    last_seen_at: datetime


class JobUpdate(Contract):
    """One committed change, as the `updates` stream and SSE carry it."""

    job_id: str
    status: JobStatus
    status_seq: int
    progress: Progress
    previews: dict[int, int] = Field(
        default_factory=dict, description="Shard index → version of its preview."
    )
    shards_changed: bool = Field(False, description="A shard changed its status or its worker.")
