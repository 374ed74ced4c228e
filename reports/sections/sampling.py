"""The section of a job that samples, and the algorithms that other jobs share."""

from collections.abc import Mapping
from typing import Any

from formats.faces import FACE_SIZE
from reports import formulas as f
from reports.contents import Algorithm, Block, Heading, Paragraph, Picture, Run, Text
from reports.material import MadeJob
from reports.sections.common import (
    TIMESTEPS,
    Context,
    cropped,
    headed,
    network_blocks,
    number,
    settings,
    took,
)

SAMPLERS: Mapping[str, str] = {
    "ddpm": "DDPM (ancestral sampling)",
    "ddim": "DDIM",
    "dpmpp_2m": "DPM-Solver++(2M)",
}
MOST_COLUMNS = 15


def sampling_section(context: Context, job: MadeJob) -> list[Block]:
    """Collage, algorithm, network and settings of a sampling."""
    params = job.params
    sampler = SAMPLERS.get(str(params.get("sampler")), str(params.get("sampler")))
    count = number(params.get("count"))
    blocks: list[Block] = [
        headed(job, "Sampling faces"),
        Paragraph(
            f"{count} faces, each drawn from pure noise by {sampler} in "
            f"{number(params.get('num_inference_steps'))} steps. No face was chosen or left out."
            + took(job)
        ),
        *_collage(job),
        *sampler_blocks(context, params),
        *start_blocks(params),
        *network_blocks(context, job.checkpoint("checkpoint")),
        *settings(job, "the sampling"),
    ]
    return blocks


def _collage(job: MadeJob) -> list[Block]:
    picture = job.picture("collage")
    if picture is None:
        return []
    png, size, is_cropped = cropped(picture, MOST_COLUMNS)
    columns, rows = size[0] // FACE_SIZE, size[1] // FACE_SIZE
    first = "The first sampled faces" if is_cropped else "The sampled faces"
    caption = (
        f"{first} as a collage of {rows} rows and {columns} columns. Rows and columns have no "
        "meaning of their own: the faces stand in the order of their numbers, row by row from the "
        "upper left, and each depends on the seed and its number alone."
    )
    alt = f"Collage of {rows} rows and {columns} columns of sampled gray faces."
    return [Picture(png, size, caption, alt)]


def start_blocks(params: Mapping[str, Any]) -> list[Block]:
    """Where sampling starts, if not from the standard normal."""
    if params.get("prior") != "data":
        return []
    return [
        Paragraph(
            [
                "It did not start from ",
                f.DRAW_START,
                " but from what the schedule leaves of the training data at t = T: their mean face "
                "and leading principal components, scaled and noised by the kernel.",
            ]
        )
    ]


def sampler_blocks(context: Context, params: Mapping[str, Any]) -> list[Block]:
    """The algorithm of these parameters' sampler, or where it stands already."""
    sampler = str(params.get("sampler"))
    steps = params.get("num_inference_steps")
    key = ("sampler", sampler, params.get("variance") if sampler == "ddpm" else None)
    if not context.first_time(key):
        name = SAMPLERS.get(sampler, sampler)
        return [Paragraph(f"The sampler is {name}, as in {context.place_of(key)}.")]
    blocks: list[Block] = [Heading("Algorithm", 2)]
    if sampler == "ddpm":
        blocks += _ddpm(params)
    elif sampler == "ddim":
        blocks += _ddim(params)
    elif sampler == "dpmpp_2m":
        blocks += _dpmpp_2m()
    return blocks + _visited(sampler, steps, params)


def _ddpm(params: Mapping[str, Any]) -> list[Block]:
    lines: list[tuple[int, Text]] = [
        (0, ["Input: the trained network ", f.NETWORK]),
        (0, [f.DRAW_START]),
        (0, ["for ", f.DOWNWARD, " do"]),
        (1, [f.DDPM_MEAN, "  (predict the latent variable before)"]),
        (1, [f.DRAW_NOISE]),
        (1, [f.DDPM_NOISE, "  (add noise to it)"]),
        (0, [f.DDPM_LAST, "  (the last step adds none)"]),
    ]
    variance = f.SIGMA_POSTERIOR if params.get("variance") == "posterior" else f.SIGMA_BETA
    blocks: list[Block] = [
        Algorithm("Sampling (Prince, algorithm 18.2; Ho et al. 2020, algorithm 2)", lines),
        Paragraph(["The noise that a step adds has the variance ", variance, "."]),
    ]
    if params.get("clip_x_0"):
        text: Text = ["The predicted face ", f.PREDICT_X, " is clipped to −1 … 1 at every step."]
        blocks.append(Paragraph(text))
    return blocks


def _ddim(params: Mapping[str, Any]) -> list[Block]:
    lines: list[tuple[int, Text]] = [
        (0, [f.DRAW_START]),
        (0, ["for each pair of neighbouring timesteps ", f.PAIR, ", the last ", f.S_ZERO, ", do"]),
        (1, [f.PREDICT_X]),
        (1, [f.DDIM_STEP]),
    ]
    eta = f" with η = {number(params.get('eta', 0.0))}"
    return [
        Algorithm("Implicit sampling (Song et al. 2021, equations 12 and 16)", lines),
        Paragraph(["The noise that a step adds has the variance ", f.DDIM_SIGMA, eta + "."]),
    ]


def _dpmpp_2m() -> list[Block]:
    lines: list[tuple[int, Text]] = [
        (0, [f.DRAW_START]),
        (0, ["for each pair of neighbouring timesteps ", f.PAIR, ", the last ", f.S_ZERO, ", do"]),
        (1, [f.PREDICT_X]),
        (1, [f.DPM_LAMBDA]),
        (1, [f.DPM_EXTRAPOLATE, "  (with a prime: of the step before)"]),
        (1, [f.DPM_STEP]),
    ]
    return [
        Algorithm("DPM-Solver++(2M) (Lu et al. 2022, algorithm 2)", lines),
        Paragraph(["The first and the last step take ", f.FIRST_ORDER, "."]),
    ]


def _visited(sampler: str, steps: Any, params: Mapping[str, Any]) -> list[Block]:
    """What is different where not every timestep is visited."""
    if not isinstance(steps, int) or steps >= TIMESTEPS:
        return []
    spacing = "evenly in t" if params.get("timesteps") == "trailing" else "evenly in log-SNR"
    text: list[Run] = [f"Only {steps} timesteps are visited, spread {spacing}."]
    if sampler == "ddpm":
        text += [
            " For a step from ",
            f.t,
            " to an earlier ",
            f.S,
            " the formulas hold with ",
            f.PAIR_BETA,
            " in the place of ",
            f.BETA_T,
            ".",
        ]
    return [Paragraph(text)]
