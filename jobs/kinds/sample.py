"""The kind `sample`: shards of images, and what assembles them."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from jobs.kinds.kind import Kind, Part
from jobs.kinds.references import (
    checkpoint_reference,
    dataset_reference,
    image_pieces,
    invalid,
    made_with,
    random_seed,
    require_dataset,
    require_noise_predictor,
)
from jobs.requests import SampleParams
from jobs.tables import Job, Shard
from jobs.works import AnyWork, AssembleWork, SampleWork


class SampleKind(Kind[SampleParams]):
    """Unconditional faces and their collage."""

    params = SampleParams

    def prepare(self, session: Session, params: SampleParams) -> SampleParams:
        """Check checkpoint, steps and prior; draw a seed."""
        network = require_noise_predictor(session, params.checkpoint, "checkpoint")
        if params.num_inference_steps > network.timesteps:
            must = f"within 1 and {network.timesteps}, the timesteps of {network.name}"
            raise invalid("num_inference_steps", params.num_inference_steps, must)
        if params.prior_dataset is not None:
            require_dataset(session, params.prior_dataset, "prior_dataset")
        elif params.prior == "data" and not network.has_prior:
            must = (
                f"the id of a dataset, since {network.name} holds no principal "
                "components of its data"
            )
            raise invalid("prior_dataset", None, must)
        if params.seed is not None:
            return params
        return params.model_copy(update={"seed": random_seed()})

    def unit(self, params: SampleParams) -> str:
        """Each image takes all steps."""
        return "image-steps"

    def split(self, params: SampleParams, shard_images: int) -> Sequence[Part]:
        """Shards of `shard_images` images, and what assembles them."""
        parts = []
        for first in range(0, params.count, shard_images):
            count = min(shard_images, params.count - first)
            parts.append(Part("sample", count * params.num_inference_steps, first, count))
        return [*parts, Part("assemble", 0, 0, params.count)]

    def work(self, session: Session, job: Job, shard: Shard, params: SampleParams) -> AnyWork:
        """The shard's images, or the pieces to assemble."""
        if shard.kind == "assemble":
            pieces = image_pieces(session, shard)
            return AssembleWork(
                params=params,
                pieces=[piece.path for piece in pieces],
                checkpoints=made_with(pieces),
            )
        prior_dataset = None
        if params.prior == "data" and params.prior_dataset is not None:
            prior_dataset = dataset_reference(session, params.prior_dataset)
        return SampleWork(
            params=params,
            checkpoint=checkpoint_reference(session, params.checkpoint),
            prior_dataset=prior_dataset,
            first_image=shard.first_image,
            image_count=shard.image_count,
        )
