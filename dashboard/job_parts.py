"""What the page of a job shows beside what all jobs have, by its kind."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request

from dashboard.charts import line_chart
from dashboard.contact_sheet import face_label, find, find_named, finished_faces, sheet_of
from dashboard.evaluation_tables import age_table, merge_table
from dashboard.figures import picture_label, read_metrics
from dashboard.offers import can_be_evaluated
from dashboard.typed import as_typed
from formats.description import MAY_BE_LEARNT
from jobs.contract import ArtifactRole, ArtifactView, CheckpointView, JobStatus, JobView, ShardView
from jobs.errors import ArtifactStoreError
from jobs.service import JobService

SHEET = "sheet.png"  # faces of a trained network
REPORT_PAGE = "report.html"
MERGE_CELLS = 3  # of the collage for each merged face: both sources and itself
# What decides which faces are learnt from, and which are held out.
SAME_FACES = ("dataset", "synthetic_count", "synthetic_seed", "seed", "holdout_fraction")
Parts = dict[str, Any]


@dataclass(frozen=True)
class _Seen:
    """A job, and what a page may read of it."""

    service: JobService
    job: JobView
    shards: Sequence[ShardView]
    artifacts: Sequence[ArtifactView]


def parts_of(
    service: JobService,
    job: JobView,
    shards: Sequence[ShardView],
    artifacts: Sequence[ArtifactView],
) -> Parts:
    """What the template of this kind needs."""
    make = _PARTS.get(job.kind)
    return make(_Seen(service, job, shards, artifacts)) if make else {}


def _sample(seen: _Seen) -> Parts:
    return _faces(seen, seen.job.params["count"])


def _merge(seen: _Seen) -> Parts:
    params = seen.job.params
    timesteps, pairs = params["timesteps"], len(params["faces"])

    def label(number: int) -> str:
        return f"Pair {number % pairs + 1} merged from t = {timesteps[number // pairs]}"

    return _faces(seen, len(timesteps) * pairs, label, MERGE_CELLS) | _figure(seen)


def _guided_sample(seen: _Seen) -> Parts:
    params = seen.job.params
    ages, columns = params["target_ages"], params["faces_per_age"]

    def label(number: int) -> str:
        return f"Face {number % columns + 1} of {ages[number // columns]:g} years"

    return _faces(seen, len(ages) * columns, label) | _figure(seen)


def _faces(
    seen: _Seen, count: int, label: Callable[[int], str] = face_label, cells: int = 1
) -> Parts:
    artifacts = seen.artifacts
    sheet = sheet_of(artifacts, request.args.get("faces", 1, int), label, cells)
    first_images = {shard.index: shard.first_image for shard in seen.shards}
    succeeded = seen.job.status is JobStatus.SUCCEEDED
    return {
        "face_count": count,
        "sheet": sheet,
        "faces": [] if sheet else finished_faces(artifacts, first_images, label),
        "images": find(artifacts, ArtifactRole.IMAGES),
        "can_be_evaluated": succeeded and can_be_evaluated(seen.job),
    }


def _figure(seen: _Seen) -> Parts:
    return {"figure": find(seen.artifacts, ArtifactRole.FIGURE)}


def _train_ddpm(seen: _Seen) -> Parts:
    measured = _measured(seen)
    measured["pictures"].sort(key=lambda picture: picture[1].name != SHEET)  # the end result first
    return measured | {
        "chart": line_chart(seen.service.curves(seen.job.id).curves),
        "checkpoint": _trained(seen),
        "further": _typed(seen.job, SAME_FACES),
    }


def _train_regressor(seen: _Seen) -> Parts:
    curves = seen.service.curves(seen.job.id).curves
    errors = {name: points for name, points in curves.items() if name.endswith("mae")}
    losses = {name: points for name, points in curves.items() if name not in errors}
    charts = (
        line_chart(errors, "errors", "Mean absolute error of held-out faces", "years"),
        line_chart(losses, "losses", "Loss", "years²"),
    )
    checkpoint = _trained(seen)
    named = checkpoint.id if checkpoint else f"job:{seen.job.id}"
    return _measured(seen) | {
        "charts": [chart for chart in charts if chart],
        "checkpoint": checkpoint,
        "guide_with": {"regressor": named} | _typed(seen.job, ["checkpoint"]),
        "further": _typed(seen.job, ["checkpoint", *SAME_FACES]),
    }


def _typed(job: JobView, names: Sequence[str]) -> dict[str, str]:
    """Parameters of a job as a form takes them, those that it has."""
    params = job.params
    return {name: as_typed(params[name]) for name in names if params.get(name) is not None}


def _trained(seen: _Seen) -> CheckpointView | None:
    """The checkpoint that a training has made."""
    checkpoint = find(seen.artifacts, ArtifactRole.CHECKPOINT)
    return None if checkpoint is None else seen.service.get_checkpoint(checkpoint.sha256[:16])


def _evaluate(seen: _Seen) -> Parts:
    return _measured(seen)


def _report(seen: _Seen) -> Parts:
    names = ("report.pdf", "assignment.zip", "jobs.json")
    files = [find_named(seen.artifacts, name) for name in names]
    return {
        "report_page": find_named(seen.artifacts, REPORT_PAGE),
        "report_files": [each for each in files if each],
        "reported": [seen.service.get_job(job_id) for job_id in seen.job.params["jobs"]],
    }


def _measured(seen: _Seen) -> Parts:
    file = find(seen.artifacts, ArtifactRole.METRICS)
    content = None if file is None else _read(seen.service, file)
    told = content or {}
    merged = merge_table(told)
    return {
        "metrics": None if content is None else read_metrics(content),
        "metrics_file": file,
        "excluded": told.get("excluded_ages"),
        "may_be_learnt": told.get(MAY_BE_LEARNT) is True,
        "judge": told.get("judge"),
        "tables": [table for table in (age_table(told), merged) if table],
        "is_merge": merged is not None,  # whose table tells all of its figures
        "pictures": [
            (picture_label(each.name), each)
            for each in seen.artifacts
            if each.role is ArtifactRole.FIGURE and each.media_type.startswith("image/")
        ],
    }


def _read(service: JobService, file: ArtifactView) -> Mapping[str, Any] | None:
    """The figures; None while the store does not answer: the page has more to show."""
    try:
        content = json.loads(service.read_artifact(file.id))
    except (ArtifactStoreError, ValueError):
        return None
    return content if isinstance(content, dict) else None


_PARTS: Mapping[str, Callable[[_Seen], Parts]] = {
    "sample": _sample,
    "merge": _merge,
    "train_regressor": _train_regressor,
    "guided_sample": _guided_sample,
    "train_ddpm": _train_ddpm,
    "evaluate": _evaluate,
    "report": _report,
}
