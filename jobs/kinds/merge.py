"""The kind `merge`: pairs of faces, merged from several timesteps, and what assembles them."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy.orm import Session

from jobs import store
from jobs.contract import ArtifactRole
from jobs.errors import JobNotFoundError, UploadNotFoundError
from jobs.kinds.kind import Kind, Part
from jobs.kinds.references import (
    checkpoint_reference,
    dataset_reference,
    face_count,
    image_pieces,
    invalid,
    made_with,
    random_seed,
    require_noise_predictor,
    upload_reference,
)
from jobs.requests import (
    CheckpointReference,
    Face,
    GuidedSampleParams,
    MadeFace,
    MergeParams,
    UploadedFace,
)
from jobs.tables import Job, Shard
from jobs.works import (
    AnyWork,
    AssembleWork,
    DatasetFace,
    FileReference,
    MergeSources,
    MergeWork,
    PictureFace,
    SourceFace,
)

IN_A_PAIR = 2


class MergeKind(Kind[MergeParams]):
    """Pairs of faces, noised to t, joined and denoised; a row for each t."""

    params = MergeParams

    def prepare(self, session: Session, params: MergeParams) -> MergeParams:
        """Check network, timesteps, faces and mask; draw a seed, and pairs where none are given."""
        network = require_noise_predictor(session, params.checkpoint, "checkpoint")
        if params.num_inference_steps > network.timesteps:
            must = f"within 1 and {network.timesteps}, the timesteps of {network.name}"
            raise invalid("num_inference_steps", params.num_inference_steps, must)
        for row, t in enumerate(params.timesteps):
            if t >= network.timesteps:
                must = f"below {network.timesteps}, the timesteps of {network.name}"
                raise invalid(f"timesteps.{row}", t, must)
        available = face_count(session, params)
        seed = random_seed() if params.seed is None else params.seed
        pairs = params.faces
        if pairs is None:
            if available < IN_A_PAIR:
                must = f"a dataset of at least {IN_A_PAIR} faces; it holds {available}"
                raise invalid("dataset", params.dataset, must)
            pairs = draw_pairs(params.pairs, available, seed)
        else:
            _check_faces(session, pairs, available)
        if params.mask_upload is not None:
            _require_upload(session, params.mask_upload, "mask_upload")
        return params.model_copy(update={"seed": seed, "faces": pairs, "pairs": len(pairs)})

    def networks(self, params: MergeParams) -> Sequence[CheckpointReference]:
        """The noise predictor."""
        return (params.checkpoint,)

    def unit(self, params: MergeParams) -> str:
        """Each image takes the steps from its t."""
        return "image-steps"

    def split(self, params: MergeParams, shard_images: int) -> Sequence[Part]:
        """Shards of one t and at most `shard_images` images each, and what assembles them."""
        parts = []
        pairs = params.pair_count
        for row, t in enumerate(params.timesteps):
            for first in range(0, pairs, shard_images):
                count = min(shard_images, pairs - first)
                total = count * params.network_calls(t)
                parts.append(Part("merge", total, row * pairs + first, count))
        return [*parts, Part("assemble", 0, 0, params.count)]

    def work(self, session: Session, job: Job, shard: Shard, params: MergeParams) -> AnyWork:
        """The shard's images, or the pieces to assemble; both with the faces they come from."""
        if shard.kind == "assemble":
            pieces = image_pieces(session, shard)
            return AssembleWork(
                job_kind="merge",
                params=params,
                pieces=[piece.path for piece in pieces],
                sources=_sources(session, params, range(params.pair_count)),
                checkpoints=made_with(pieces),
            )
        first_pair = shard.first_image % params.pair_count
        return MergeWork(
            params=params,
            checkpoint=checkpoint_reference(session, params.checkpoint),
            sources=_sources(session, params, range(first_pair, first_pair + shard.image_count)),
            first_image=shard.first_image,
            image_count=shard.image_count,
        )


def draw_pairs(pairs: int, available: int, seed: int) -> list[list[Face]]:
    """Pairs of different faces, drawn by the seed: out of NumPy's permutations of all of them.

    No face comes twice while there are enough: a permutation is used up before the next begins.
    Another version of NumPy might permute otherwise; what was drawn is kept with the job.

    Args:
        pairs: how many.
        available: indices are within 0 and available − 1; at least 2.
        seed: of the generator (PCG64), at least 0.
    """
    generator = np.random.default_rng(seed)
    drawn: list[list[Face]] = []
    while len(drawn) < pairs:
        order = generator.permutation(available)[: available // IN_A_PAIR * IN_A_PAIR]
        drawn += order.reshape(-1, IN_A_PAIR)[: pairs - len(drawn)].tolist()
    return drawn


def _check_faces(session: Session, pairs: Sequence[Sequence[Face]], available: int) -> None:
    for number, pair in enumerate(pairs):
        for side, face in enumerate(pair):
            field = f"faces.{number}.{side}"
            if isinstance(face, UploadedFace):
                _require_upload(session, face.upload, f"{field}.upload")
            elif isinstance(face, MadeFace):
                _check_made_face(session, face, field)
            elif face >= available:
                must = f"within 0 and {available - 1}: the dataset holds {available} faces"
                raise invalid(field, face, must)


def _check_made_face(session: Session, face: MadeFace, field: str) -> None:
    """That the job makes so many images; it may still run."""
    job = store.find_job(session, face.job)
    if job is None:
        raise JobNotFoundError(
            f"params.{field}.job: there is no job {face.job!r}",
            field=f"params.{field}.job",
            value=face.job,
        )
    made = _image_count(job)
    if not made:
        must = f"a job that makes images; this one is a {job.kind}"
        raise invalid(f"{field}.job", face.job, must)
    if face.image >= made:
        must = f"within 0 and {made - 1}: job {face.job} makes {made} images"
        raise invalid(f"{field}.image", face.image, must)


def _image_count(job: Job) -> int:
    if job.kind == "sample":
        return int(job.params["count"])
    if job.kind == "guided_sample":
        return GuidedSampleParams.model_validate(job.params).count
    return MergeParams.model_validate(job.params).count if job.kind == "merge" else 0


def _require_upload(session: Session, upload_id: str, field: str) -> None:
    if store.find_upload(session, upload_id) is None:
        raise UploadNotFoundError(
            f"params.{field}: there is no upload {upload_id!r}; GET /api/v1/uploads lists them",
            field=f"params.{field}",
            value=upload_id,
        )


def _sources(session: Session, params: MergeParams, pairs: range) -> MergeSources:
    """The faces of these pairs, and the mask."""
    faces = params.faces
    assert faces is not None  # drawn when the job was submitted
    found = [
        (_source(session, first), _source(session, second))
        for first, second in faces[pairs.start : pairs.stop]
    ]
    of_dataset = any(isinstance(face, DatasetFace) for pair in found for face in pair)
    mask = params.mask_upload
    return MergeSources(
        pairs=found,
        dataset=dataset_reference(session, params.dataset, params) if of_dataset else None,
        mask=None if mask is None else upload_reference(session, mask),
    )


def _source(session: Session, face: Face) -> SourceFace:
    if isinstance(face, UploadedFace):
        return PictureFace(file=upload_reference(session, face.upload), image=None)
    if not isinstance(face, MadeFace):
        return DatasetFace(index=face)
    for artifact, shard in store.artifacts_of(session, face.job):
        if artifact.role == ArtifactRole.IMAGES and shard.kind == "assemble":
            file = FileReference(path=artifact.path, sha256=artifact.sha256)
            return PictureFace(file=file, image=face.image)
    raise LookupError(f"the images of job {face.job} are gone")
