"""The batch that submits the jobs of a report again: jobs.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.material import MadeJob, Material

MOST_JOBS = 50  # of a batch
TRAINED_FIELDS = ("checkpoint", "initial", "regressor")  # that may name the job that trains it
TRAINING_REFERENCES = ("train_ddpm", "train_regressor", "sample", "merge", "guided_sample")


def batch_request(material: Material) -> dict[str, Any]:
    """The same jobs, each after those that it needs, and a report on them at the end.

    Where one names another, or the network that another made, a label stands for it; whatever
    lies outside the report keeps its id, and must be there when the batch is submitted.
    """
    labels = label_jobs(material.jobs)
    makers = {
        each.id: labels[job.id]
        for job in material.jobs
        for each in job.checkpoints
        if each.field == "made"
    }
    items = [
        {
            "label": labels[job.id],
            "job": _named(job) | {"kind": job.kind, "params": _params(job, labels, makers)},
        }
        for job in _in_order(material.jobs, makers)
    ]
    if len(items) < MOST_JOBS:
        params: dict[str, Any] = {"jobs": [labels[job.id] for job in material.jobs]}
        if material.title is not None:
            params["title"] = material.title
        items.append({"label": "report", "job": {"kind": "report", "params": params}})
    return {"jobs": items}


def label_jobs(jobs: Sequence[MadeJob]) -> dict[str, str]:
    """Id → `sample`, `sample-2`, …; these are also the names of their folders."""
    labels: dict[str, str] = {}
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job.kind] = counts.get(job.kind, 0) + 1
        number = counts[job.kind]
        labels[job.id] = job.kind if number == 1 else f"{job.kind}-{number}"
    return labels


def _named(job: MadeJob) -> dict[str, Any]:
    return {} if job.name is None else {"name": job.name}


def _params(job: MadeJob, labels: Mapping[str, str], makers: Mapping[str, str]) -> dict[str, Any]:
    params = {name: _relabelled(value, labels) for name, value in job.params.items()}
    if job.kind in TRAINING_REFERENCES:
        for name in TRAINED_FIELDS:
            maker = makers.get(str(params.get(name)))
            if maker is not None:
                params[name] = {"job": maker}
    if job.kind == "evaluate" and params.get("job") in labels:
        params["job"] = labels[params["job"]]
    return params


def _relabelled(value: Any, labels: Mapping[str, str]) -> Any:
    """A value with the ids of `{"job": id}` as labels, however deep they stand."""
    if isinstance(value, Mapping):
        return {
            name: labels.get(each, each)
            if name == "job" and isinstance(each, str)
            else _relabelled(each, labels)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_relabelled(each, labels) for each in value]
    return value


def _in_order(jobs: Sequence[MadeJob], makers: Mapping[str, str]) -> list[MadeJob]:
    """Each after those that it names; otherwise as they stood."""
    labels = label_jobs(jobs)
    by_label = {labels[job.id]: job for job in jobs}
    ordered: dict[str, MadeJob] = {}
    begun: set[str] = set()

    def put(job: MadeJob) -> None:
        if job.id in begun:
            return
        begun.add(job.id)
        for label in _labels_in(_params(job, labels, makers)):
            if label in by_label:
                put(by_label[label])
        ordered[job.id] = job

    for job in jobs:
        put(job)
    return list(ordered.values())


def _labels_in(value: Any) -> list[str]:
    """What stands where a job is named."""
    if isinstance(value, Mapping):
        return [
            label
            for name, each in value.items()
            for label in ([each] if name == "job" and isinstance(each, str) else _labels_in(each))
        ]
    if isinstance(value, list):
        return [label for each in value for label in _labels_in(each)]
    return []
