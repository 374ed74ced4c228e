"""The kind `guided_sample`: faces at target ages, and what assembles them."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from jobs.kinds.kind import Kind, Part
from jobs.kinds.references import (
    NetworkFacts,
    checkpoint_reference,
    image_pieces,
    invalid,
    made_with,
    require_regressor,
    require_schedule,
)
from jobs.kinds.sample import decide_seed, image_parts, prior_reference, require_sampling
from jobs.requests import DEFAULT_SCALES, CheckpointReference, GuidedSampleParams
from jobs.tables import Job, Shard
from jobs.works import AnyWork, AssembleWork, GuidedSampleWork


class GuidedSampleKind(Kind[GuidedSampleParams]):
    """Faces at target ages, a row of the collage for each age."""

    params = GuidedSampleParams

    def prepare(self, session: Session, params: GuidedSampleParams) -> GuidedSampleParams:
        """Check both networks; decide what the guidance leaves open, and draw a seed."""
        network = require_sampling(session, params, params)
        regressor = require_regressor(session, params.regressor, "regressor")
        _check_regressor(params, regressor, network)
        decided: dict[str, object] = {}
        if params.guidance_scale is None:
            decided["guidance_scale"] = DEFAULT_SCALES[params.guidance]
        if params.guidance_form is None:
            decided["guidance_form"] = "mean" if params.sampler == "ddpm" else "eps"
        return params.model_copy(update=decided | decide_seed(params))

    def networks(self, params: GuidedSampleParams) -> Sequence[CheckpointReference]:
        """The noise predictor and the regressor."""
        return (params.checkpoint, params.regressor)

    def unit(self, params: GuidedSampleParams) -> str:
        """Each image takes all steps."""
        return "image-steps"

    def split(self, params: GuidedSampleParams, shard_images: int) -> Sequence[Part]:
        """Shards of `shard_images` images, and what assembles them."""
        steps = params.num_inference_steps
        return image_parts("guided_sample", params.count, steps, shard_images)

    def work(self, session: Session, job: Job, shard: Shard, params: GuidedSampleParams) -> AnyWork:
        """The shard's images, or the pieces to assemble."""
        if shard.kind == "assemble":
            pieces = image_pieces(session, shard)
            return AssembleWork(
                job_kind="guided_sample",
                params=params,
                pieces=[piece.path for piece in pieces],
                checkpoints=made_with(pieces),
            )
        return GuidedSampleWork(
            params=params,
            checkpoint=checkpoint_reference(session, params.checkpoint),
            regressor=checkpoint_reference(session, params.regressor),
            prior_dataset=prior_reference(session, params),
            first_image=shard.first_image,
            image_count=shard.image_count,
        )


def _check_regressor(
    params: GuidedSampleParams, regressor: NetworkFacts, network: NetworkFacts
) -> None:
    require_schedule(network, regressor, "regressor", params.regressor)
    if params.guidance == "calibrated" and not regressor.is_measured:
        must = (
            f"plain, since {regressor.name} does not hold its own error by timestep, by which "
            "calibrated guidance divides"
        )
        raise invalid("guidance", params.guidance, must)
