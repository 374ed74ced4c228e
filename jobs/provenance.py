"""Provenance: what a picture says of itself. Every maker of pictures takes the words from here."""

from collections.abc import Mapping
from typing import Any

from formats.faces import Faces
from formats.pictures import encode_png
from formats.xmp import SourceType
from jobs.messages import ShardOrder
from jobs.works import AnyWork, AssembleWork, FileReference

CHECKPOINT_FIELDS = ("checkpoint", "regressor", "initial", "judge")  # of parameters and of works


def provenance(
    job_id: str,
    kind: str,
    params: Mapping[str, Any],
    checkpoints: Mapping[str, str],
    **of_image: Any,
) -> dict[str, Any]:
    """What a picture of a job says of itself.

    Args:
        job_id: the job that made it.
        kind: that job's.
        params: as they are stored, the seed included.
        checkpoints: SHA-256 of what it was made with, by the field that named it.
        of_image: what is true of this picture alone.
    """
    made_by = {"job": job_id, "kind": kind, "params": dict(params)}
    return made_by | {"checkpoints": dict(checkpoints)} | of_image


def order_provenance(order: ShardOrder, **of_image: Any) -> dict[str, Any]:
    """What a picture that this order's shard makes says of itself."""
    work = order.work
    kind = work.job_kind if isinstance(work, AssembleWork) else work.kind
    params = work.params.model_dump(mode="json")
    return provenance(order.job_id, kind, params, used_checkpoints(work), **of_image)


def used_checkpoints(work: AnyWork) -> dict[str, str]:
    """SHA-256 of the checkpoints that a shard is made with, by the field that names them."""
    if isinstance(work, AssembleWork):
        return dict(work.checkpoints)
    named = {field: getattr(work, field, None) for field in CHECKPOINT_FIELDS}
    return {
        field: reference.sha256
        for field, reference in named.items()
        if isinstance(reference, FileReference)
    }


def image_facts(kind: str, params: Mapping[str, Any], image: int) -> dict[str, Any]:
    """What is true of one image of a job: its index, and what its row and column stand for.

    Merged images go timestep by timestep, pair by pair; guided ones age by age.
    """
    facts: dict[str, Any] = {"image": image}
    if kind == "merge":
        pairs = params["pairs"] if params["faces"] is None else len(params["faces"])
        facts |= {"t": params["timesteps"][image // pairs], "pair": image % pairs}
    elif kind == "guided_sample":
        facts["target_age"] = params["target_ages"][image // params["faces_per_age"]]
    return facts


def source_type(kind: str) -> SourceType:
    """What pictures of jobs of this kind are made of: merged ones begin with given faces."""
    return SourceType.EDITED if kind == "merge" else SourceType.GENERATED


def image_png(
    picture: Faces,
    job_id: str,
    kind: str,
    params: Mapping[str, Any],
    checkpoints: Mapping[str, str],
    image: int,
) -> bytes:
    """A single image of a job, uint8 (48, 48), as a PNG that says where it comes from."""
    facts = image_facts(kind, params, image)
    says = provenance(job_id, kind, params, checkpoints, **facts)
    return encode_png(picture, says, source_type(kind))
