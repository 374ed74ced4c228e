"""The tables: what is kept of jobs, shards, artifacts, the files that people bring, and workers."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from jobs.columns import Base, LongInteger

HAS_NOT_ENDED = text("finished_at IS NULL")
IS_SENT = text("finished_at IS NULL AND sent_to IS NOT NULL")
IS_HELD = text("finished_at IS NULL AND holder IS NOT NULL")


class Job(Base):
    """What a person submits and watches.

    The queue is an index of its own over what has not ended: its size does not grow with history.
    `is_tidied`: it has ended, and its folder was swept of all but its artifacts.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("submitter", "idempotency_key"),
        Index(None, "created_at", "id"),
        Index(None, "status"),
        Index(
            "ix_jobs_queue",
            "priority",
            "submitter",
            "created_at",
            "id",
            "kind",
            sqlite_where=HAS_NOT_ENDED,
            postgresql_where=HAS_NOT_ENDED,
        ),
        Index(None, "is_tidied", "finished_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str | None] = mapped_column(String(200))
    submitter: Mapped[str] = mapped_column(String(64))
    priority: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))
    status_seq: Mapped[int]
    params: Mapped[dict[str, Any]]
    done: Mapped[int]
    total: Mapped[int]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    is_tidied: Mapped[bool] = mapped_column(default=False)
    retry_of: Mapped[str | None] = mapped_column(String(32))
    batch_id: Mapped[str | None] = mapped_column(String(32), index=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobParent(Base):
    """A job, and one that must succeed before it may run."""

    __tablename__ = "job_parents"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    parent_id: Mapped[str] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Shard(Base):
    """A part of a job that one worker runs.

    `attempt` counts deliveries. `sent_to` is the worker that the message of this attempt went to,
    until a report comes; `holder` is the worker whose reports count, also after a take-back (then
    the status is queued again, and the holder goes on if it is heard before the next send). After
    a hand-back by `returned_by`, the `hand_backs`th in a row, nothing is sent `not_before`.
    `notice` says what hinders its worker now.

    What is sent or held now is found in indexes of its own, as small as there are slots. There is
    none on `status`: SQLite would look for the next shard through all that wait.
    """

    __tablename__ = "shards"
    __table_args__ = (
        UniqueConstraint("job_id", "index"),
        Index("ix_shards_of_job", "job_id", "status", "index"),
        Index("ix_shards_sent", "sent_to", sqlite_where=IS_SENT, postgresql_where=IS_SENT),
        Index("ix_shards_held", "holder", sqlite_where=IS_HELD, postgresql_where=IS_HELD),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    index: Mapped[int]
    kind: Mapped[str] = mapped_column(String(32))
    first_image: Mapped[int]
    image_count: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int]
    sent_to: Mapped[str | None] = mapped_column(String(128))
    holder: Mapped[str | None] = mapped_column(String(128))
    seq: Mapped[int]
    done: Mapped[int]
    total: Mapped[int]
    saved_step: Mapped[int]
    losses: Mapped[int]
    loss_step: Mapped[int]
    hand_backs: Mapped[int] = mapped_column(server_default="0", default=0)
    not_before: Mapped[datetime | None]
    returned_by: Mapped[str | None] = mapped_column(String(128))
    preview_version: Mapped[LongInteger]
    notice: Mapped[str | None]
    curves: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Artifact(Base):
    """A file that a job made."""

    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("shard_id", "name"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    shard_id: Mapped[str] = mapped_column(ForeignKey("shards.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(200))
    path: Mapped[str] = mapped_column(String(500))
    shape: Mapped[list[int]]
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[LongInteger]
    sha256: Mapped[str] = mapped_column(String(64))
    checkpoints: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime]


class Checkpoint(Base):
    """A model's weights, kept as safetensors in the artifact store, and their description."""

    __tablename__ = "checkpoints"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    architecture: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    path: Mapped[str] = mapped_column(String(500))
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[LongInteger]
    description: Mapped[dict[str, Any]]
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class Dataset(Base):
    """Faces, and their ages where there are some, kept in the artifact store."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    faces_path: Mapped[str] = mapped_column(String(500))
    faces_sha256: Mapped[str] = mapped_column(String(64))
    ages_path: Mapped[str | None] = mapped_column(String(500))
    ages_sha256: Mapped[str | None] = mapped_column(String(64))
    count: Mapped[int]
    size_bytes: Mapped[LongInteger]
    figures: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Upload(Base):
    """A picture that was uploaded, kept in the artifact store: a face or a mask."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(String(500))
    width: Mapped[int]
    height: Mapped[int]
    size_bytes: Mapped[LongInteger]
    created_at: Mapped[datetime]


class Fact(Base):
    """Something to remember beside jobs, under a name: see `jobs.facts`."""

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[dict[str, Any]]


class Worker(Base):
    """A worker that has been heard; its clock is never used. A drained one gets no more shards."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    host: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(64))
    protocol: Mapped[int] = mapped_column(server_default="0")  # 0: heard before this was kept
    slots: Mapped[int]
    capabilities: Mapped[dict[str, Any]]
    usage: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    drained_at: Mapped[datetime | None]
    drained_by: Mapped[str | None] = mapped_column(String(64))


class Pause(Base):
    """Of one kind of job, or of the whole queue (`all`): nothing new is sent while the row is."""

    __tablename__ = "pauses"

    scope: Mapped[str] = mapped_column(String(32), primary_key=True)
    reason: Mapped[str] = mapped_column(String(200))
    paused_by: Mapped[str] = mapped_column(String(64))
    paused_at: Mapped[datetime]


class Usage(Base):
    """Device time that a submitter has used of late: `device_seconds` as it was `updated_at`."""

    __tablename__ = "usages"

    submitter: Mapped[str] = mapped_column(String(64), primary_key=True)
    device_seconds: Mapped[float]
    updated_at: Mapped[datetime]
    served_at: Mapped[datetime | None]


class Timing(Base):
    """How long one shard took, from its start to its success in one attempt."""

    __tablename__ = "timings"
    __table_args__ = (Index(None, "kind", "device", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    device: Mapped[str] = mapped_column(String(100))
    total: Mapped[LongInteger]
    unit: Mapped[str] = mapped_column(String(16))
    seconds: Mapped[float]


class Estimate(Base):
    """The first estimate of a job's start and end, and whether it came true."""

    __tablename__ = "estimates"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    made_at: Mapped[datetime]
    start_from: Mapped[datetime | None]  # null: made when it had started
    start_until: Mapped[datetime | None]
    end_from: Mapped[datetime]
    end_until: Mapped[datetime]
    judged_at: Mapped[datetime | None] = mapped_column(index=True)
    start_came_true: Mapped[bool | None]
    end_came_true: Mapped[bool | None]


def _table(of: type[Base]) -> Table:
    return Base.metadata.tables[of.__tablename__]


# For statements that need no objects: they take half as long.
JOBS, SHARDS, WORKERS = (_table(each) for each in (Job, Shard, Worker))
PAUSES, TIMINGS, ARTIFACTS, USAGES = (_table(each) for each in (Pause, Timing, Artifact, Usage))
