"""The form of the kind `merge`."""

from collections.abc import Callable
from functools import partial

from dashboard.forms.dataset import ROWS, dataset_fields
from dashboard.forms.fields import Field, KindForm, Preset, Section, field_of
from dashboard.forms.sampling import checkpoint_field, sampler_fields, seed_field
from jobs.requests import MergeParams

_field: Callable[..., Field] = partial(field_of, MergeParams)

MERGE = KindForm(
    kind="merge",
    label="Merge faces",
    lead="Two faces are noised to t, joined while they are noisy, and denoised together. "
    "The collage has a row for each t.",
    presets=(
        Preset(
            "The assignment's",
            "5 pairs, DDPM, t = 100, 300, 500 and 700",
            {"timesteps": "100, 300, 500, 700"},
        ),
        Preset(
            "A glance",
            "2 pairs, DDIM, 50 steps",
            {"pairs": "2", "sampler": "ddim", "num_inference_steps": "50"},
        ),
        Preset(
            "Redraw one half",
            "RePaint: the first face stays, the rest is drawn anew",
            {"method": "repaint", "num_inference_steps": "250", "timesteps": "600, 900"},
        ),
    ),
    fields=(
        _field("pairs", "Pairs", "Drawn by the seed, where none are named below: 1 to 100."),
        _field(
            "faces",
            "Which pairs",
            "Indices of the dataset, as 3-7, 12-40. In an index's place may stand upload:ID, or "
            "job:ID/IMAGE for a face that a job made. Empty: the seed draws them.",
            "pairs",
            allowed="1 to 100 pairs such as 3-7, 12-40, or with upload:ID or job:ID/IMAGE in "
            "place of an index",
        ),
        _field("timesteps", "Timesteps t", "1 to 999 with commas between; a row each.", "list"),
        *dataset_fields("The faces to merge."),
        _field(
            "mask",
            "Of the first face",
            "The rest is the second one's.",
            "radio",
            choices=(
                ("left_right", "The left half"),
                ("top_bottom", "The upper half"),
                ("upload", "As much of each pixel as an uploaded mask is white"),
            ),
        ),
        _field(
            "mask_upload",
            "Uploaded mask",
            "A gray picture; the page Pictures takes one.",
            "select",
            source="uploads",
            empty="None",
            only_for="upload",
        ),
        _field(
            "method",
            "Method",
            "How the two become one.",
            "radio",
            choices=(
                ("kernel", "Kernel: both are noised, joined and denoised (the assignment's)"),
                ("repaint", "RePaint: the first is kept where the mask is, the rest is redrawn"),
            ),
        ),
        _field("jump_length", "Steps of a jump", "Back, then on again.", only_for="repaint"),
        _field("resamplings", "Passes", "Over each jump.", only_for="repaint"),
        checkpoint_field(MergeParams),
        *sampler_fields(MergeParams),
        seed_field(MergeParams, "merged faces"),
    ),
    sections=(
        Section(
            "What to merge",
            (*ROWS, ("pairs", "timesteps"), ("faces",), ("mask",), ("mask_upload",), ("seed",)),
        ),
        Section(
            "How to merge",
            (
                ("method",),
                ("jump_length", "resamplings"),
                ("checkpoint",),
                ("sampler",),
                ("num_inference_steps",),
                ("variance",),
                ("eta",),
                ("clip_x_0",),
            ),
        ),
    ),
)
