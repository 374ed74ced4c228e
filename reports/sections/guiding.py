"""The section of a job that samples faces at target ages."""

from collections.abc import Mapping, Sequence
from typing import Any

from formats.faces import FACE_SIZE
from reports import formulas as f
from reports.contents import Block, Heading, Paragraph, Picture, Run, Text
from reports.material import MadeJob
from reports.sections.common import (
    Context,
    cropped,
    headed,
    network_blocks,
    number,
    settings,
    took,
    whole_picture,
)
from reports.sections.regression import given_regressor_blocks
from reports.sections.sampling import sampler_blocks, start_blocks

MOST_COLUMNS = 12
DEFAULT_SCALES: Mapping[str, float] = {"plain": 0.2, "calibrated": 4.0}


def guiding_section(context: Context, job: MadeJob) -> list[Block]:
    """Collage, formulas, regressor and settings of a guided sampling."""
    params = job.params
    ages = [_age(age) for age in params.get("target_ages") or []]
    return [
        headed(job, "Faces at target ages"),
        Paragraph(
            [
                f"{number(params.get('faces_per_age'))} faces for each of the ages {_list(ages)}: "
                "the sampler is led, step by step, to where the regressor sees the target age ",
                f.Y,
                f" (classifier guidance). The noise predictor knows nothing of ages.{took(job)}",
            ]
        ),
        *_collage(job, ages),
        *_guidance(params),
        *sampler_blocks(context, params),
        *start_blocks(params),
        *given_regressor_blocks(context, job.checkpoint("regressor")),
        *network_blocks(context, job.checkpoint("checkpoint")),
        *settings(job, "the guided sampling"),
    ]


def _collage(job: MadeJob, ages: Sequence[str]) -> list[Block]:
    alt = f"Collage of faces: a row for each of the ages {_list(ages)}."
    column = (
        "The faces of a column start from the same noise, so that a column shows what the age "
        "changes."
        if job.params.get("shared_noise", True)
        else "Columns have no meaning of their own: each face starts from a noise of its own."
    )
    picture = job.picture("collage")
    if picture is None:
        return whole_picture(job, "figure", f"Faces at target ages, a row each. {column}", alt)
    png, size, is_cropped = cropped(picture, MOST_COLUMNS)
    rows = size[1] // FACE_SIZE
    caption = f"Faces at target ages. Each row is a target age, in years. {column}"
    if is_cropped:
        caption += f" The first {rows} ages and {size[0] // FACE_SIZE} columns are shown."
    labels = [f"{age} years" for age in ages[:rows]] if len(ages) >= rows else ()
    return [Picture(png, size, caption, alt, rows=labels)]


def _guidance(params: Mapping[str, Any]) -> list[Block]:
    guidance = str(params.get("guidance"))
    scale = params.get("guidance_scale")
    if scale is None:
        scale = DEFAULT_SCALES.get(guidance)
    is_calibrated = guidance == "calibrated"
    if is_calibrated:
        law: list[Run] = ["The law of the age has the regressor’s own held-out error ", f.MSE_T]
        law += [" as its variance, so that the gradient is as strong as the regressor is sure:"]
    else:
        law = ["The law of the age is taken as the assignment gives it, with ages in years:"]
    at_x_0 = params.get("guidance_gradient") == "x_0"
    return [
        Heading("Guidance", 2),
        Paragraph(law),
        f.LOG_CALIBRATED if is_calibrated else f.LOG_PLAIN,
        Paragraph(
            [
                "Its gradient is taken of each face by itself, by differentiating through the "
                + ("regressor and the noise predictor:" if at_x_0 else "regressor:")
            ]
        ),
        f.GRADIENT_X if at_x_0 else f.GRADIENT,
        *_form(params, scale),
        *_limits(params),
    ]


def _form(params: Mapping[str, Any], scale: Any) -> list[Block]:
    form = params.get("guidance_form")
    if form is None:
        form = "mean" if params.get("sampler") == "ddpm" else "eps"
    scaled: list[Run] = [", scaled by ", f.S, f" = {number(scale)}"]
    if form == "mean":
        source = "(Dhariwal and Nichol 2021, algorithm 1):"
        return [
            Paragraph(["It shifts the mean of each step", *scaled, " ", source]),
            f.MEAN_SHIFT,
        ]
    source = "(Dhariwal and Nichol 2021, algorithm 2):"
    return [
        Paragraph(["It shifts the predicted noise", *scaled, " ", source]),
        f.EPS_SHIFT,
        Paragraph(["The sampler then takes ", f.EPS_HAT, " for ", f.NETWORK, "."]),
    ]


def _limits(params: Mapping[str, Any]) -> list[Block]:
    low, high = params.get("guidance_sigma_min"), params.get("guidance_sigma_max")
    clip = params.get("guidance_clip")
    blocks: list[Block] = []
    if low is not None or high is not None:
        bounds = []
        if low is not None:
            bounds.append(f"at least {number(low)}")
        if high is not None:
            bounds.append(f"at most {number(high)}")
        text: Text = [
            "Faces are guided only at noise levels ",
            f.SIGMA,
            f" of {' and '.join(bounds)}.",
        ]
        blocks.append(Paragraph(text))
    else:
        blocks.append(Paragraph("Faces are guided at every step."))
    if clip is not None:
        share = f"The shift of a face’s noise is never longer than {number(clip)} times the "
        blocks.append(Paragraph(share + "predicted noise itself; longer ones are shortened."))
    return blocks


def _age(age: Any) -> str:
    return f"{age:g}" if isinstance(age, int | float) else str(age)


def _list(items: Sequence[str]) -> str:
    return ", ".join(items[:-1]) + f" and {items[-1]}" if len(items) > 1 else "".join(items)
