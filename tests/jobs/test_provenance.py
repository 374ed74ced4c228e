import numpy as np
import pytest

from formats.pictures import read_png_parameters
from formats.xmp import SourceType
from jobs.kinds.references import made_with
from jobs.messages import ShardOrder
from jobs.provenance import (
    image_facts,
    image_png,
    order_provenance,
    provenance,
    source_type,
    used_checkpoints,
)
from jobs.requests import EvaluateParams, GuidedSampleParams, MergeParams, SampleParams
from jobs.tables import Artifact
from jobs.works import (
    AnyWork,
    AssembleWork,
    EvaluatedJob,
    EvaluateWork,
    FileReference,
    GuidedSampleWork,
    SampleWork,
    SyntheticDataset,
)

PREDICTOR = FileReference(path="checkpoints/a", sha256="a" * 64)
REGRESSOR = FileReference(path="checkpoints/b", sha256="b" * 64)


def says(work: AnyWork) -> dict[str, object]:
    return order_provenance(ShardOrder(job_id="job-1", shard_id="job-1-0", attempt=1, work=work))


def test_a_shard_and_what_assembles_it_say_the_same_of_their_job() -> None:
    params = SampleParams(seed=2**64 - 1)
    piece = SampleWork(params=params, checkpoint=PREDICTOR, first_image=0, image_count=1)
    whole = AssembleWork(params=params, pieces=[], checkpoints=used_checkpoints(piece))

    assert says(piece) == says(whole)
    assert says(whole) == {
        "job": "job-1",
        "kind": "sample",
        "params": params.model_dump(mode="json"),
        "checkpoints": {"checkpoint": "a" * 64},
    }


def test_every_checkpoint_of_a_work_is_named_by_its_field() -> None:
    work = GuidedSampleWork(
        params=GuidedSampleParams(seed=1),
        checkpoint=PREDICTOR,
        regressor=REGRESSOR,
        first_image=0,
        image_count=1,
    )

    assert used_checkpoints(work) == {"checkpoint": "a" * 64, "regressor": "b" * 64}


def test_a_work_without_a_checkpoint_names_none() -> None:
    work = EvaluateWork(
        params=EvaluateParams(job="earlier"),
        dataset=SyntheticDataset(count=200, seed=1),
        job=EvaluatedJob(kind="sample", images=PREDICTOR),
        checkpoint=None,
    )

    assert says(work)["checkpoints"] == {}


def test_a_merged_image_says_its_t_and_its_pair() -> None:
    params = MergeParams(faces=[[0, 1], [2, 3], [4, 5]], timesteps=[100, 700]).model_dump()

    found = [image_facts("merge", params, image) for image in range(6)]

    assert [(each["image"], each["t"], each["pair"]) for each in found] == [
        *[(0, 100, 0), (1, 100, 1), (2, 100, 2)],
        *[(3, 700, 0), (4, 700, 1), (5, 700, 2)],
    ]


def test_drawn_pairs_are_counted_as_given_ones() -> None:
    params = MergeParams(pairs=2, timesteps=[100, 700]).model_dump()

    assert image_facts("merge", params, 3) == {"image": 3, "t": 700, "pair": 1}


def test_a_guided_image_says_the_age_of_its_row() -> None:
    params = GuidedSampleParams(target_ages=[18, 40, 80], faces_per_age=2).model_dump()

    ages = [image_facts("guided_sample", params, image)["target_age"] for image in range(6)]

    assert ages == [18, 18, 40, 40, 80, 80]


def test_a_sampled_image_says_its_index_alone() -> None:
    assert image_facts("sample", SampleParams(seed=1).model_dump(), 7) == {"image": 7}


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("sample", SourceType.GENERATED),
        ("guided_sample", SourceType.GENERATED),
        ("train_ddpm", SourceType.GENERATED),
        ("merge", SourceType.EDITED),
    ],
)
def test_only_merged_faces_begin_with_given_ones(kind: str, source: SourceType) -> None:
    assert source_type(kind) is source


def test_a_single_image_carries_all_of_it() -> None:
    params = MergeParams(seed=3).model_dump(mode="json")
    face = np.zeros((48, 48), np.uint8)

    content = image_png(face, "job-1", "merge", params, {"checkpoint": "a" * 64}, 19)

    assert read_png_parameters(content) == provenance(
        "job-1",
        "merge",
        params,
        {"checkpoint": "a" * 64},
        image=19,
        t=params["timesteps"][-1],
        pair=4,
    )
    assert SourceType.EDITED.encode() in content


def test_pieces_of_an_older_version_say_nothing_of_their_checkpoints() -> None:
    old, new = Artifact(checkpoints=None), Artifact(checkpoints={"checkpoint": "a" * 64})

    assert made_with([old]) == {}
    assert made_with([old, new]) == {"checkpoint": "a" * 64}
