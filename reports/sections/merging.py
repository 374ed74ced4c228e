"""The section of a job that merges faces."""

from collections.abc import Mapping, Sequence
from typing import Any

from formats.faces import FACE_SIZE
from reports import formulas as f
from reports.contents import Block, Heading, Paragraph, Picture, Run, Table, Text
from reports.material import MadeJob
from reports.sections.common import (
    TIMESTEPS,
    Context,
    cropped,
    headed,
    network_blocks,
    settings,
    timestep,
    took,
    whole_picture,
)
from reports.sections.sampling import sampler_blocks

FACES_OF_PAIR = 3  # in the collage: both sources and what they become
MOST_PAIRS = 5
MASKS: Mapping[str, str] = {
    "left_right": "1 in the left half and 0 in the right one: the merged face has the first "
    "face’s left half and the second one’s right half",
    "top_bottom": "1 in the upper half and 0 in the lower one",
    "upload": "a gray picture that was uploaded, white 1, black 0, gray a share of both",
}


def merging_section(context: Context, job: MadeJob) -> list[Block]:
    """Collage, formulas, pairs and settings of a merge."""
    params = job.params
    mask = MASKS.get(str(params.get("mask")), str(params.get("mask")))
    timesteps = [str(t) for t in params.get("timesteps") or []]
    return [
        headed(job, "Merging two faces"),
        Paragraph(
            [
                "Two faces ",
                f.X_1,
                " and ",
                f.X_2,
                " are noised to the same timestep ",
                f.BELOW_T,
                ", joined while they are noisy, and denoised together. The timesteps are "
                f"{', '.join(timesteps)}: the larger, the less is left of the two faces, and the "
                f"more the network decides.{took(job)}",
            ]
        ),
        *_collage(job),
        Heading("Formulas", 2),
        Paragraph(
            ["Both faces are noised by the diffusion kernel, with one shared noise ", f.EPS, ":"]
        ),
        f.KERNEL,
        f.NOISED,
        Paragraph(["They are joined by the mask ", f.MASK, f", which is {mask}:"]),
        f.JOINED,
        Paragraph(
            [
                "From this ",
                f.Z_T,
                " on the sampler goes down to the face ",
                f.X,
                ", as if it had come to t by itself.",
            ]
        ),
        *_repaint(params),
        *sampler_blocks(context, params),
        *_steps(params),
        *_pairs(params),
        *network_blocks(context, job.checkpoint("checkpoint")),
        *settings(job, "the merge"),
    ]


def _collage(job: MadeJob) -> list[Block]:
    alt = (
        "Collage: a row for each timestep, and for each pair of faces the first face, the second "
        "face and what they were merged into."
    )
    timesteps: Sequence[Any] = job.params.get("timesteps") or []
    picture = job.picture("collage")
    if picture is None:
        words = "The merged faces. A row is a timestep; a pair has three columns."
        return whole_picture(job, "figure", words, alt)
    png, size, is_cropped = cropped(picture, MOST_PAIRS * FACES_OF_PAIR)
    columns, rows = size[0] // FACE_SIZE, size[1] // FACE_SIZE
    pairs = columns // FACES_OF_PAIR
    caption: list[Run] = [
        "Merged faces. Each row is a timestep ",
        f.t,
        ", to which both faces were noised; for each pair there are three columns: ",
        f.X_1,
        ", ",
        f.X_2,
        " and the face that they were merged into.",
    ]
    if is_cropped:
        caption.append(f" The first {pairs} pairs and {rows} timesteps are shown.")
    fits = len(timesteps) >= rows and columns == pairs * FACES_OF_PAIR
    heads: list[Text] = [f.X_1, f.X_2, "merged"]
    return [
        Picture(
            png,
            size,
            caption,
            alt,
            rows=[timestep(t) for t in timesteps[:rows]] if fits else (),
            columns=heads * pairs if fits else (),
            groups=[f"pair {number + 1}" for number in range(pairs)] if fits else (),
        )
    ]


def _repaint(params: Mapping[str, Any]) -> list[Block]:
    if params.get("method") != "repaint":
        return []
    length, passes = params.get("jump_length"), params.get("resamplings")
    return [
        Paragraph(
            "The method is RePaint (Lugmayr et al. 2022, algorithm 1): after each step the part of "
            "the first face that the mask takes is put back, noised to that step. Every "
            f"{length} steps the way goes back as many steps by fresh noise, so that each stretch "
            f"is passed {passes} times and the rest adapts to what it is joined with."
        )
    ]


def _steps(params: Mapping[str, Any]) -> list[Block]:
    steps, timesteps = params.get("num_inference_steps"), params.get("timesteps") or []
    if not isinstance(steps, int):
        return []
    per_row = [
        f"{max(1, (2 * steps * t + TIMESTEPS) // (2 * TIMESTEPS))} from t = {t}" for t in timesteps
    ]
    return [
        Paragraph(
            f"All the way from T would take {steps} steps; each row takes its share of them: "
            f"{', '.join(per_row)}."
        )
    ]


def _pairs(params: Mapping[str, Any]) -> list[Block]:
    faces = params.get("faces")
    if not faces:
        return []
    rows = [
        (str(index + 1), _face(pair[0], params), _face(pair[1], params))
        for index, pair in enumerate(faces)
    ]
    return [Table("The pairs of faces.", ("Pair", f.X_1, f.X_2), rows)]


def _face(face: Any, params: Mapping[str, Any]) -> str:
    if isinstance(face, Mapping) and "upload" in face:
        return f"upload {face['upload']}"
    if isinstance(face, Mapping) and "job" in face:
        return f"image {face.get('image')} of job {face['job']}"
    return f"face {face} of dataset {params.get('dataset')}"
