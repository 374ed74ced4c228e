"""What jobs are called where they have no name, and their main parameters in one line."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jobs.contract import JobView
from jobs.requests import DEFAULT_SCALES

Params = Mapping[str, Any]
SAMPLERS: Mapping[str, str] = {
    "ddpm": "DDPM",
    "ddim": "DDIM",
    "dpmpp_2m": "DPM-Solver++ (2M)",
}
KINDS: Mapping[str, str] = {
    "sample": "sampling",
    "merge": "merge",
    "train_regressor": "training of a regressor",
    "guided_sample": "guided sampling",
    "train_ddpm": "training",
    "evaluate": "evaluation",
    "report": "report",
}


def job_title(job: JobView) -> str:
    """What a job is called: its name, or what it makes."""
    return job.name or _product(job)


def recipe(job: JobView) -> str:
    """A job's main parameters in one line, but not what its title says."""
    tell = _RECIPES.get(job.kind)
    parts = tell(job.params) if tell else []
    return " · ".join([_product(job), *parts] if job.name else parts)


def kind_words(kind: str) -> str:
    """What a job of this kind is, in a word or two."""
    return KINDS.get(kind, kind.replace("_", " "))


def listed(items: Sequence[str]) -> str:
    """`18, 40 and 60`."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def counted(count: int, one: str, several: str) -> str:
    """`1 face`, `1,500 faces`."""
    return f"1 {one}" if count == 1 else f"{count:,} {several}"


def _product(job: JobView) -> str:
    make = _PRODUCTS.get(job.kind)
    return make(job.params) if make else kind_words(job.kind).capitalize()


def _guided(params: Params) -> str:
    ages = listed([f"{age:g}" for age in params["target_ages"]])
    count = len(params["target_ages"]) * params["faces_per_age"]
    return f"{counted(count, 'face', 'faces')} of {ages} years"


def _merge(params: Params) -> str:
    pairs = counted(len(params["faces"] or ()) or params["pairs"], "pair", "pairs")
    return f"{pairs} merged from t = {listed([str(t) for t in params['timesteps']])}"


def _sampling(params: Params) -> list[str]:
    return [
        SAMPLERS.get(params["sampler"], params["sampler"]),
        counted(params["num_inference_steps"], "step", "steps"),
    ]


def _guidance(params: Params) -> list[str]:
    scale = params["guidance_scale"]
    scale = DEFAULT_SCALES.get(params["guidance"], 0.0) if scale is None else scale
    return [f"{params['guidance']} guidance, scale {scale:g}", *_sampling(params)]


def _training(params: Params) -> list[str]:
    for unit in ("steps", "images"):
        if params[unit] is not None:
            return [f"{params[unit]:,} {unit}", f"dataset {params['dataset']}"]
    return [f"{params['minutes']:g} minutes", f"dataset {params['dataset']}"]


_PRODUCTS: Mapping[str, Callable[[Params], str]] = {
    "sample": lambda params: counted(params["count"], "face", "faces"),
    "merge": _merge,
    "train_regressor": lambda params: f"Training of a regressor at width {params['width']}",
    "guided_sample": _guided,
    "train_ddpm": lambda params: f"Training at width {params['width']}",
    "evaluate": lambda params: (
        f"Evaluation of job {params['job']}"
        if params["job"]
        else f"Evaluation of checkpoint {params['checkpoint']}"
    ),
    "report": lambda params: params["title"] or "Report",
}
_RECIPES: Mapping[str, Callable[[Params], list[str]]] = {
    "sample": _sampling,
    "merge": lambda params: [params["method"], *_sampling(params)],
    "train_regressor": _training,
    "guided_sample": _guidance,
    "train_ddpm": _training,
    "evaluate": lambda params: [f"dataset {params['dataset']}"],
    "report": lambda params: [f"on {counted(len(params['jobs']), 'job', 'jobs')}"],
}
