"""The settings of every program: one frozen class each, read once at its start.

Every field is read from the environment as `DARKROOM_` and its name; `.env.example` lists them all.
"""

import json
from typing import Annotated, get_args

from pydantic import AfterValidator, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.database_url import backend_of
from jobs.requests import JobRequest

NAME_PATTERN = r"^[A-Za-z0-9._-]{0,64}$"  # it is part of file names


def _check_database_url(url: str) -> str:
    backend_of(url)
    return url


class Settings(BaseSettings):
    """What every program needs to know."""

    model_config = SettingsConfigDict(env_prefix="DARKROOM_", frozen=True, extra="ignore")

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="The broker and the streams; rediss://:PASSWORD@HOST:PORT/0 is TLS.",
    )
    artifacts_url: str = Field(
        "data/artifacts",
        description="Folder, fsspec URL (s3://…) or, for a worker, https://HOST/api/v1/store.",
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")


class DatabaseSettings(Settings):
    """What the programs beside the database need to know."""

    database_url: Annotated[str, AfterValidator(_check_database_url)] = Field(
        "sqlite:///data/darkroom.sqlite",
        description="SQLAlchemy URL of the database: SQLite, or postgresql+psycopg://….",
    )


class WebSettings(DatabaseSettings):
    """Settings of `darkroom web`: the API and the dashboard."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    web_threads: int = Field(
        128, ge=4, le=4096, description="Requests served at a time; an open page holds one."
    )
    api_keys: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description='JSON object, key → submitter; needed when not on loopback: {"secret": "ada"}.',
    )
    worker_keys: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="JSON object, key → site; opens the artifact store over HTTP to its workers.",
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description='JSON list of host names accepted beside loopback: ["gpu.lab.example"].',
    )
    max_upload_bytes: int = Field(256 * 2**20, ge=1024, description="Largest upload, in bytes.")
    max_stored_bytes: int = Field(
        2**30, ge=1024, description="Largest file that a worker may store over HTTP, in bytes."
    )
    shard_images: int = Field(25, ge=1, le=1000, description="Images of one shard.")


class DispatcherSettings(DatabaseSettings):
    """Settings of `darkroom dispatcher`."""

    lease_seconds: float = Field(20, gt=0, description="Silence after which a worker is lost.")
    resend_seconds: float = Field(
        5, gt=0, description="A message of which no report came for so long is sent again."
    )
    max_losses: int = Field(3, ge=1, description="Losses at which a shard fails.")
    poll_seconds: float = Field(
        1, gt=0, description="How often the database is looked into without a hint."
    )
    keep_days: int = Field(
        0, ge=0, description="Jobs that ended so many days ago are deleted; 0: none ever is."
    )


class WorkerSettings(Settings):
    """Settings of `darkroom worker`."""

    artifacts_key: str = Field(
        "", repr=False, description="Worker key for an artifact store at https://HOST/api/v1/store."
    )
    kinds: list[str] = Field(
        default_factory=list,
        description='JSON list of the kinds of job to take, ["sample", "merge"]; empty: all.',
    )
    name: str = Field(
        "", pattern=NAME_PATTERN, description="Begins the worker's id; empty: the host's name."
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    precision: str = Field("auto", description="auto, bfloat16 or float32.")
    threads: int = Field(
        0, ge=0, description="CPU threads of the engine; 0: the cores divided by `host_engines`."
    )
    host_engines: int = Field(1, ge=1, description="Engines that share this host's cores.")
    heartbeat_seconds: float = Field(2, gt=0, description="Between two heartbeats.")
    report_seconds: float = Field(0.4, gt=0, description="Between two reports of progress.")
    preview_seconds: float = Field(2, gt=0, description="Between two previews.")
    save_seconds: float = Field(5, gt=0, description="Between two saved states of a sampling.")
    training_save_seconds: float = Field(
        60, gt=0, description="Between two saved states of a training, 16 bytes per weight each."
    )
    engine_silence_seconds: float = Field(
        30, gt=0, description="An engine that says nothing for so long is ended."
    )
    engine_load_seconds: float = Field(
        300, gt=0, description="The same while it loads or warms up."
    )
    stuck_seconds: float = Field(
        10, gt=0, description="A message that waits so long beside a free slot ends the consumer."
    )

    @field_validator("kinds")
    @classmethod
    def _know_kinds(cls, kinds: list[str]) -> list[str]:
        known = [get_args(each.model_fields["kind"].annotation)[0] for each in get_args(JobRequest)]
        for kind in kinds:
            if kind not in known:
                raise ValueError(f"{kind!r} is no kind of job; known are {', '.join(known)}")
        return kinds


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables from which another process reads these settings."""
    return {
        f"DARKROOM_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.model_dump(mode="json").items()
    }
