"""What the page of a job shows beside what all jobs have, by its kind."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import request

from dashboard.charts import line_chart
from dashboard.contact_sheet import find, finished_faces, sheet_of
from dashboard.figures import Metrics, picture_label, read_metrics
from jobs.contract import ArtifactRole, ArtifactView, JobStatus, JobView, ShardView
from jobs.errors import ArtifactStoreError
from jobs.kinds.evaluate import MIN_IMAGES
from jobs.service import JobService

SHEET = "sheet.png"  # faces of a trained network
Parts = dict[str, Any]


def parts_of(
    service: JobService,
    job: JobView,
    shards: Sequence[ShardView],
    artifacts: Sequence[ArtifactView],
) -> Parts:
    """What the template of this kind needs."""
    make = _PARTS.get(job.kind)
    return make(service, job, shards, artifacts) if make else {}


def _sample(
    service: JobService,
    job: JobView,
    shards: Sequence[ShardView],
    artifacts: Sequence[ArtifactView],
) -> Parts:
    sheet = sheet_of(artifacts, request.args.get("faces", 1, int))
    first_images = {shard.index: shard.first_image for shard in shards}
    succeeded = job.status is JobStatus.SUCCEEDED
    return {
        "face_count": job.params["count"],
        "sheet": sheet,
        "faces": [] if sheet else finished_faces(artifacts, first_images),
        "images": find(artifacts, ArtifactRole.IMAGES),
        "can_be_evaluated": succeeded and job.params["count"] >= MIN_IMAGES,
    }


def _training(
    service: JobService,
    job: JobView,
    shards: Sequence[ShardView],
    artifacts: Sequence[ArtifactView],
) -> Parts:
    checkpoint = find(artifacts, ArtifactRole.CHECKPOINT)
    measured = _measured(service, artifacts)
    measured["pictures"].sort(key=lambda picture: picture[1].name != SHEET)  # the end result first
    return measured | {
        "chart": line_chart(service.curves(job.id).curves),
        "checkpoint": checkpoint and service.get_checkpoint(checkpoint.sha256[:16]),
    }


def _evaluation(
    service: JobService,
    job: JobView,
    shards: Sequence[ShardView],
    artifacts: Sequence[ArtifactView],
) -> Parts:
    return _measured(service, artifacts)


def _measured(service: JobService, artifacts: Sequence[ArtifactView]) -> Parts:
    file = find(artifacts, ArtifactRole.METRICS)
    return {
        "metrics": file and _read(service, file),
        "metrics_file": file,
        "pictures": [
            (picture_label(each.name), each)
            for each in artifacts
            if each.role is ArtifactRole.FIGURE and each.media_type.startswith("image/")
        ],
    }


def _read(service: JobService, file: ArtifactView) -> Metrics | None:
    """The figures; None while the store does not answer: the page has more to show."""
    try:
        return read_metrics(json.loads(service.read_artifact(file.id)))
    except (ArtifactStoreError, ValueError):
        return None


_PARTS: Mapping[
    str,
    Callable[[JobService, JobView, Sequence[ShardView], Sequence[ArtifactView]], Parts],
] = {"sample": _sample, "train_ddpm": _training, "evaluate": _evaluation}
