"""The section of a job that trains a noise predictor."""

from reports import formulas as f
from reports.contents import Block, Paragraph
from reports.material import MadeJob
from reports.sections.common import (
    Context,
    headed,
    network_blocks,
    settings,
    took,
    whole_picture,
)
from reports.sections.regression import curve_blocks


def training_section(context: Context, job: MadeJob) -> list[Block]:
    """Loss, curves and what the network draws at the end."""
    alt = "Collage of gray faces that the trained network has sampled."
    caption = "Faces that the trained network samples, in the order of their numbers."
    role = "collage" if job.picture("collage") else "figure"
    return [
        headed(job, "Training the noise predictor"),
        Paragraph(["The network ", f.NETWORK, " learns to say the noise in a noised face:"]),
        f.NOISE_LOSS,
        *([Paragraph(took(job).strip())] if took(job) else []),
        *curve_blocks(job.curves),
        *whole_picture(job, role, caption, alt),
        *(block for each in job.checkpoints for block in network_blocks(context, each)),
        *settings(job, "the training"),
    ]
