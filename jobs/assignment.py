"""The whole assignment as a batch of jobs, each waiting for what it needs."""

import re
from collections.abc import Mapping
from typing import Any

from jobs.errors import JobError
from jobs.requests import SAMPLE_PRESETS, SYNTHETIC, AssignmentRequest, BatchRequest

TITLE = "The assignment"
TRAINING_FACES = 20_000  # rendered to train the regressor on, where the dataset is synthetic
COMPARED_FACES = 4_000  # rendered to merge and to compare with: about two seconds each time
MOST_NAME_CHARACTERS = 150  # of the given name, before what each job is
PRESET_OF: Mapping[str, str] = {"ddpm": "assignment", "dpmpp_2m": "fast"}
FIELD_OF: Mapping[str, str] = {"prior_dataset": "dataset"}  # of the assignment, by a job's
OF_A_JOB = re.compile(r"jobs\.\d+\.job\.params\.(\w+)")

Fields = dict[str, Any]


def assignment_batch(request: AssignmentRequest) -> BatchRequest:
    """Sample, merge, train a regressor unless one is given, guide, evaluate, report."""
    sampling = _sampling(request)
    start = _start(request)
    compared = _dataset(request, COMPARED_FACES)
    merge = sampling | compared | {"sampler": request.sampler, "pairs": 5}
    guided = sampling | start | {"faces_per_age": 10, "regressor": request.regressor}
    jobs: dict[str, tuple[str, str, Fields]] = {
        "sample": ("sample", "100 faces", sampling | start | {"count": 100}),
        "merge": ("merge", "five pairs merged at four t", merge),
    }
    if request.regressor is None:
        training = _dataset(request, TRAINING_FACES) | {
            "checkpoint": request.checkpoint,
            "initial": request.initial,
            "images": request.training_images,
            "seed": request.seed,
        }
        jobs["train_regressor"] = ("train_regressor", "the age regressor", training)
        guided["regressor"] = {"job": "train_regressor"}
    jobs["guided_sample"] = ("guided_sample", "faces at target ages", guided)
    measuring = compared | ({} if request.seed is None else {"seed": request.seed})
    for label, of, words in (
        ("evaluate_sample", "sample", "figures of the faces"),
        ("evaluate_merge", "merge", "figures of the merged faces"),
        ("evaluate_guided", "guided_sample", "figures of the faces at target ages"),
    ):
        jobs[label] = ("evaluate", words, measuring | {"job": of})
    title = request.name or TITLE
    jobs["report"] = ("report", "the report", {"jobs": list(jobs), "title": title})
    items = [
        {
            "label": label,
            "job": {
                "kind": kind,
                "name": f"{title[:MOST_NAME_CHARACTERS]}: {words}",
                "priority": request.priority,
                "params": params,
            },
        }
        for label, (kind, words, params) in jobs.items()
    ]
    return BatchRequest.model_validate({"jobs": items})


def in_words_of_assignment(error: JobError) -> JobError:
    """The error of one of the batch's jobs, with the field of the assignment that it came from."""
    found = OF_A_JOB.fullmatch(error.details.get("field", ""))
    field = FIELD_OF.get(found[1], found[1]) if found else ""
    if found is None or field not in AssignmentRequest.model_fields:
        return error
    message = error.message.removeprefix(found[0]).lstrip(": ")
    return type(error)(f"{field}: {message}", **error.details | {"field": field})


def _sampling(request: AssignmentRequest) -> Fields:
    steps = SAMPLE_PRESETS[PRESET_OF[request.sampler]]["num_inference_steps"]
    return {
        "checkpoint": request.checkpoint,
        "num_inference_steps": request.num_inference_steps or steps,
        "seed": request.seed,
    }


def _start(request: AssignmentRequest) -> Fields:
    """How faces begin and are guided; where from the data's own start, that of given faces."""
    preset = PRESET_OF[request.sampler]
    if SAMPLE_PRESETS[preset]["prior"] == "standard" or request.dataset == SYNTHETIC:
        return {"preset": preset}
    return {"preset": preset, "prior_dataset": request.dataset}


def _dataset(request: AssignmentRequest, rendered: int) -> Fields:
    if request.dataset != SYNTHETIC:
        return {"dataset": request.dataset}
    return {"dataset": SYNTHETIC, "synthetic_count": rendered}
