"""The whole assignment as a batch of jobs, each waiting for what it needs."""

import re
from typing import Any

from jobs.errors import JobError
from jobs.requests import SYNTHETIC, AssignmentRequest, BatchRequest

TITLE = "The assignment"
TRAINING_FACES = 20_000  # rendered to train the regressor on, where the dataset is synthetic
COMPARED_FACES = 4_000  # rendered to merge and to compare with: about two seconds each time
MOST_NAME_CHARACTERS = 150  # of the given name, before what each job is
OF_A_JOB = re.compile(r"jobs\.\d+\.job\.params\.(\w+)")

Fields = dict[str, Any]


def assignment_batch(request: AssignmentRequest) -> BatchRequest:
    """Sample, merge, train a regressor unless one is given, guide, evaluate, report."""
    sampling = {
        "checkpoint": request.checkpoint,
        "num_inference_steps": request.num_inference_steps,
        "seed": request.seed,
    }
    compared = _dataset(request, COMPARED_FACES)
    merge = sampling | compared | {"pairs": 5}
    guided: Fields = sampling | {"preset": "assignment", "regressor": request.regressor}
    jobs: dict[str, tuple[str, str, Fields]] = {
        "sample": ("sample", "100 faces", sampling | {"preset": "assignment", "count": 100}),
        "merge": ("merge", "five pairs merged at four t", merge),
    }
    if request.regressor is None:
        training = _dataset(request, TRAINING_FACES) | {
            "checkpoint": request.checkpoint,
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
    if found is None or found[1] not in AssignmentRequest.model_fields:
        return error
    message = error.message.removeprefix(found[0]).lstrip(": ")
    return type(error)(f"{found[1]}: {message}", **error.details | {"field": found[1]})


def _dataset(request: AssignmentRequest, rendered: int) -> Fields:
    if request.dataset != SYNTHETIC:
        return {"dataset": request.dataset}
    return {"dataset": SYNTHETIC, "synthetic_count": rendered}
