"""What callers send and receive: job requests as a union on `kind`, and the views of what is kept.

Everything here is pure pydantic; the API's OpenAPI document is generated from it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MAX_COUNT = 10_000  # images of one job
TIMESTEPS = 1000  # T of the course's noise schedule
BUNDLED = "bundled"  # the id that always names the bundled noise predictor


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


class SampleParams(Contract):
    """Parameters of the kind `sample`: unconditional faces and their collage."""

    checkpoint: str = Field(
        BUNDLED, min_length=1, max_length=64, description="Id of the noise predictor."
    )
    count: int = Field(100, ge=1, le=MAX_COUNT, description="How many faces to sample.")
    sampler: Literal["ddpm", "ddim"] = Field(
        "ddpm", description="The algorithm that walks from noise to a face."
    )
    num_inference_steps: int = Field(
        TIMESTEPS, ge=1, le=TIMESTEPS, description="Denoising steps; 1000 visits every timestep."
    )
    variance: Literal["beta", "posterior"] = Field(
        "beta", description="DDPM's noise: σ² = β (beta) or the posterior's variance."
    )
    eta: float = Field(0.0, ge=0, le=1, description="DDIM's noise: 0 none, 1 as much as DDPM.")
    clip_x_0: bool = Field(False, description="Clip the predicted x_0 to [-1, 1] at every step.")
    prior: Literal["standard"] = Field("standard", description="z_T ~ N(0, I), as in the book.")
    seed: int | None = Field(
        None, ge=0, lt=2**64, description="Decides every image; drawn at random when absent."
    )
    columns: int = Field(10, ge=1, le=100, description="Columns of the collage.")


class SampleJob(Contract):
    """A request for a job of kind `sample`."""

    kind: Literal["sample"]
    params: SampleParams = Field(default_factory=SampleParams)
    name: str | None = Field(None, max_length=200, description="A name for people.")
    priority: int = Field(0, ge=-100, le=100, description="Higher goes first.")
    submitter: str | None = Field(
        None, min_length=1, max_length=64, pattern=r"^[\w.@ -]+$", description="Whose job it is."
    )


JobRequest = SampleJob  # becomes a union on `kind` with the second kind
job_request_adapter: TypeAdapter[JobRequest] = TypeAdapter(JobRequest)


class ErrorInfo(Contract):
    """Why a job or a shard failed."""

    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="For people.")
    details: dict[str, Any] = Field(
        default_factory=dict, description="What is known: signal, step, memory, worker, log lines."
    )


class Progress(Contract):
    """How far a job is."""

    done: int = Field(ge=0)
    total: int = Field(ge=0)
    unit: str = "image-steps"


class JobView(Contract):
    """A job as callers see it."""

    id: str
    kind: str
    name: str | None
    submitter: str
    priority: int
    status: JobStatus
    status_seq: int = Field(description="Grows with every change of this job.")
    waiting_reason: str | None = Field(description="Why it is not running, in one sentence.")
    params: dict[str, Any]
    progress: Progress
    error: ErrorInfo | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    links: dict[str, str] = Field(default_factory=dict)


class JobList(Contract):
    """A page of jobs, newest first."""

    items: list[JobView]
    next_cursor: str | None


class ShardView(Contract):
    """A part of a job that one worker runs."""

    id: str
    index: int
    kind: str = Field(description="`sample`, or `assemble` for what follows all others.")
    status: JobStatus
    attempt: int = Field(description="Deliveries so far; raised after a loss or a hand-back.")
    worker: str | None = Field(description="Who holds it, or held it last.")
    losses: int
    first_image: int
    image_count: int
    progress: Progress
    preview_version: int = Field(description="0 while there is no preview.")
    error: ErrorInfo | None
    started_at: datetime | None
    finished_at: datetime | None


class ArtifactRole(StrEnum):
    """What an artifact is for."""

    IMAGES = "images"
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
    links: dict[str, str] = Field(default_factory=dict)


class CheckpointView(Contract):
    """A model's weights and their description."""

    id: str = Field(description="The first 16 hexadecimal digits of its SHA-256, or `bundled`.")
    name: str
    architecture: str
    width: int
    sha256: str
    size_bytes: int
    description: dict[str, Any]
    created_at: datetime
    links: dict[str, str] = Field(default_factory=dict)


class WorkerView(Contract):
    """A worker that has been heard."""

    id: str
    host: str
    version: str
    capabilities: dict[str, Any]
    slots: int
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
