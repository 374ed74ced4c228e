"""The kind `sample`: shards of images, and what assembles them."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from jobs.kinds.kind import Kind, Part
from jobs.kinds.references import (
    NetworkFacts,
    checkpoint_reference,
    dataset_reference,
    image_pieces,
    invalid,
    made_with,
    random_seed,
    require_dataset,
    require_noise_predictor,
)
from jobs.requests import CheckpointReference, SampleParams, SamplingParams, StartParams
from jobs.tables import Job, Shard
from jobs.works import AnyWork, AssembleWork, DatasetReference, SampleWork


def require_sampling(
    session: Session, sampling: SamplingParams, start: StartParams
) -> NetworkFacts:
    """Check noise predictor, steps and prior of a sampling from t = T.

    Raises:
        CheckpointNotFoundError: there is no such checkpoint.
        JobNotFoundError: there is no such job.
        DatasetNotFoundError: there is no such dataset.
        ValidationError: they do not fit together.
    """
    network = require_noise_predictor(session, sampling.checkpoint, "checkpoint")
    if sampling.num_inference_steps > network.timesteps:
        must = f"within 1 and {network.timesteps}, the timesteps of {network.name}"
        raise invalid("num_inference_steps", sampling.num_inference_steps, must)
    if start.prior_dataset is not None:
        require_dataset(session, start.prior_dataset, "prior_dataset")
    elif start.prior == "data" and not network.has_prior:
        must = (
            f"the id of a dataset, since {network.name} holds no principal components of its data"
        )
        raise invalid("prior_dataset", None, must)
    return network


def decide_seed(params: SamplingParams) -> dict[str, object]:
    """A seed where none is given."""
    return {"seed": random_seed()} if params.seed is None else {}


def image_parts(kind: str, count: int, steps: int, shard_images: int) -> Sequence[Part]:
    """Shards of at most `shard_images` images of so many steps each, and what assembles them."""
    parts = []
    for first in range(0, count, shard_images):
        images = min(shard_images, count - first)
        parts.append(Part(kind, images * steps, first, images))
    return [*parts, Part("assemble", 0, 0, count)]


def prior_reference(session: Session, start: StartParams) -> DatasetReference | None:
    """The dataset that a prior is computed from, where one is named."""
    if start.prior == "data" and start.prior_dataset is not None:
        return dataset_reference(session, start.prior_dataset)
    return None


class SampleKind(Kind[SampleParams]):
    """Unconditional faces and their collage."""

    params = SampleParams

    def prepare(self, session: Session, params: SampleParams) -> SampleParams:
        """Check checkpoint, steps and prior; draw a seed."""
        require_sampling(session, params, params)
        return params.model_copy(update=decide_seed(params))

    def networks(self, params: SampleParams) -> Sequence[CheckpointReference]:
        """The noise predictor."""
        return (params.checkpoint,)

    def unit(self, params: SampleParams) -> str:
        """Each image takes all steps."""
        return "image-steps"

    def split(self, params: SampleParams, shard_images: int) -> Sequence[Part]:
        """Shards of `shard_images` images, and what assembles them."""
        return image_parts("sample", params.count, params.num_inference_steps, shard_images)

    def work(self, session: Session, job: Job, shard: Shard, params: SampleParams) -> AnyWork:
        """The shard's images, or the pieces to assemble."""
        if shard.kind == "assemble":
            pieces = image_pieces(session, shard)
            return AssembleWork(
                params=params,
                pieces=[piece.path for piece in pieces],
                checkpoints=made_with(pieces),
            )
        return SampleWork(
            params=params,
            checkpoint=checkpoint_reference(session, params.checkpoint),
            prior_dataset=prior_reference(session, params),
            first_image=shard.first_image,
            image_count=shard.image_count,
        )
