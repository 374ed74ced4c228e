"""What faces at target ages show: a row for each age, plain and with names."""

from formats.faces import Faces
from formats.figures import labelled_collage
from formats.pictures import collage
from jobs.contract import ArtifactRole
from jobs.provenance import order_provenance
from jobs.requests import GuidedSampleParams, JobReference
from worker.engine.made_files import picture_file
from worker.engine.shard import MadeFile, ShardRun


def guided_pictures(shard: ShardRun, params: GuidedSampleParams, images: Faces) -> list[MadeFile]:
    """Collage and figure of all images, uint8 (ages · faces per age, 48, 48), age by age."""
    columns = params.faces_per_age
    rows = [f"{age:g} years" for age in params.target_ages]
    figure = labelled_collage(images, columns, rows, [], caption(params))
    made_by = order_provenance(shard.order)
    sheet = collage(images, columns)
    return [
        picture_file(ArtifactRole.COLLAGE, "collage.png", sheet, made_by),
        picture_file(ArtifactRole.FIGURE, "figure.png", figure, made_by),
    ]


def caption(params: GuidedSampleParams) -> str:
    """What the figure shows, in a sentence or two."""
    named = params.regressor
    regressor = f"of job {named.job}" if isinstance(named, JobReference) else named
    columns = " Each column starts from the same noise." if params.shared_noise else ""
    low, high = params.guidance_sigma_min, params.guidance_sigma_max
    interval = "" if low is None and high is None else f", σ from {low or 0:g} to {high or 'T'}"
    return (
        f"Faces at target ages, a row each.{columns} Guidance {params.guidance}, scale "
        f"{params.guidance_scale:g}, form {params.guidance_form}{interval}; {params.sampler}, "
        f"{params.num_inference_steps} steps; regressor {regressor}; seed {params.seed}"
    )
