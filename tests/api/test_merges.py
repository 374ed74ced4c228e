"""Requests of the kind `merge`: what is kept of them, and those that cannot be."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from formats.pictures import encode_png
from jobs.database import Database
from jobs.kinds import KINDS
from jobs.kinds.merge import draw_pairs
from jobs.requests import MergeParams
from jobs.settings import WebSettings
from jobs.store import find_job, shards_of
from jobs.works import AssembleWork, MergeWork

Params = dict[str, Any]


@pytest.fixture
def merge(client: FlaskClient, checkpoint_id: str) -> Callable[..., Any]:
    """Posts a job of kind merge with these params."""

    def post(**params: Any) -> Any:
        body = {"kind": "merge", "params": {"checkpoint": checkpoint_id} | params}
        return client.post("/api/v1/jobs", json=body)

    return post


@pytest.fixture
def upload(client: FlaskClient) -> str:
    """Id of an uploaded picture."""
    picture = encode_png(np.full((48, 48), 99, np.uint8))
    answer = client.post("/api/v1/uploads", data=picture, content_type="image/png")
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def test_pairs_are_drawn_by_the_seed_and_kept(merge: Callable[..., Any]) -> None:
    first, again, other = (merge(seed=seed, synthetic_count=100).json for seed in (3, 3, 4))

    faces = first["params"]["faces"]
    assert np.shape(faces) == (5, 2)
    assert len(set(np.ravel(faces))) == 10
    assert faces == again["params"]["faces"]
    assert faces != other["params"]["faces"]
    assert first["progress"]["total"] == 5 * sum(first["params"]["timesteps"])


@pytest.mark.parametrize(("pairs", "available"), [(5, 10), (7, 5), (100, 2), (3, 1000)])
def test_no_face_comes_twice_while_there_are_enough(pairs: int, available: int) -> None:
    drawn = np.array(draw_pairs(pairs, available, seed=1))

    assert drawn.shape == (pairs, 2)
    assert drawn.min() >= 0
    assert drawn.max() < available
    assert (drawn[:, 0] != drawn[:, 1]).all()
    in_turn = drawn[: available // 2]
    assert len(np.unique(in_turn)) == in_turn.size


def test_pairs_that_are_given_are_kept_and_counted(merge: Callable[..., Any], upload: str) -> None:
    faces = [[0, 39_999], [{"upload": upload}, 3]]

    answer = merge(faces=faces, timesteps=[10, 20, 30])

    assert answer.status_code == 202, answer.text
    assert answer.json["params"]["faces"] == faces
    assert answer.json["params"]["pairs"] == 2
    assert answer.json["progress"]["total"] == 2 * 60
    assert answer.json["params"]["seed"] is not None


def test_shards_are_of_one_t_and_know_their_faces(
    merge: Callable[..., Any], upload: str, web_settings: WebSettings
) -> None:
    faces = [[i, i + 1] for i in range(29)] + [[{"upload": upload}, 5]]
    mask = {"mask": "upload", "mask_upload": upload}
    job_id = merge(faces=faces, timesteps=[100, 500], num_inference_steps=100, **mask).json["id"]

    database = Database(web_settings.database_url)
    with database.read() as session:
        job = find_job(session, job_id)
        assert job is not None
        params = MergeParams.model_validate(job.params)
        shards = shards_of(session, job_id)
        *works, assembling = (KINDS["merge"].work(session, job, shard, params) for shard in shards)
    database.close()

    assert [(s.first_image, s.image_count, s.total) for s in shards] == [
        (0, 25, 250),
        (25, 5, 50),
        (30, 25, 1250),
        (55, 5, 250),
        (0, 60, 0),
    ]
    last = works[3]
    assert isinstance(last, MergeWork)
    assert len(last.sources.pairs) == 5
    assert last.sources.pairs[0][0].model_dump() == {"index": 25}
    uploaded, _ = last.sources.pairs[4]
    assert last.sources.mask is not None
    assert uploaded.model_dump() == {"file": last.sources.mask.model_dump(), "image": None}
    assert isinstance(assembling, AssembleWork)
    assert assembling.job_kind == "merge"
    assert assembling.sources is not None
    assert len(assembling.sources.pairs) == 30


def test_faces_of_a_job_that_still_runs_can_be_merged(
    merge: Callable[..., Any], submit: Callable[..., str]
) -> None:
    face = {"job": submit(count=12), "image": 11}

    assert merge(faces=[[face, 3]]).status_code == 202


OUT_OF_RANGE = [
    ({"timesteps": [0]}, "timesteps.0", 0),
    ({"timesteps": [100, 1000]}, "timesteps.1", 1000),
    ({"timesteps": [5000]}, "timesteps.0", 5000),
    ({"timesteps": []}, "timesteps", "[]"),
    ({"pairs": 0}, "pairs", 0),
    ({"pairs": 101}, "pairs", 101),
    ({"num_inference_steps": 1001}, "num_inference_steps", 1001),
    ({"jump_length": 0}, "jump_length", 0),
    ({"resamplings": 21}, "resamplings", 21),
    ({"mask": "diagonal"}, "mask", "diagonal"),
    ({"faces": [[0, 40_000]]}, "faces.0.1", 40_000),
    ({"faces": [[0, 1], [100, 2]], "synthetic_count": 100}, "faces.1.0", 100),
]


@pytest.mark.parametrize(("params", "field", "value"), OUT_OF_RANGE)
def test_a_value_out_of_its_range_is_named(
    client: FlaskClient, merge: Callable[..., Any], params: Params, field: str, value: object
) -> None:
    answer = merge(**params)

    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    (error,) = answer.json["errors"]
    assert (error["field"], error["value"]) == (f"params.{field}", value)
    assert error["allowed"]
    assert client.get("/api/v1/jobs").json["items"] == []


def test_an_index_beyond_the_dataset_is_told_its_count(merge: Callable[..., Any]) -> None:
    answer = merge(faces=[[0, 100]], synthetic_count=100)

    assert answer.json["errors"][0]["allowed"] == "within 0 and 99: the dataset holds 100 faces"


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"mask": "upload"}, ["mask", "mask_upload"]),
        ({"mask_upload": "0123456789abcdef"}, ["mask", "mask_upload"]),
        ({"method": "repaint", "sampler": "dpmpp_2m"}, ["method", "sampler"]),
    ],
)
def test_fields_that_do_not_go_together_are_named_together(
    merge: Callable[..., Any], params: Params, fields: list[str]
) -> None:
    answer = merge(**params)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [f"params.{f}" for f in fields]


UNKNOWN = "0123456789abcdef"


@pytest.mark.parametrize(
    ("params", "code", "field"),
    [
        ({"mask": "upload", "mask_upload": UNKNOWN}, "upload_not_found", "mask_upload"),
        ({"faces": [[0, {"upload": UNKNOWN}]]}, "upload_not_found", "faces.0.1.upload"),
        ({"faces": [[{"job": UNKNOWN, "image": 0}, 1]]}, "job_not_found", "faces.0.0.job"),
        ({"dataset": UNKNOWN}, "dataset_not_found", "dataset"),
        ({"checkpoint": UNKNOWN}, "checkpoint_not_found", "checkpoint"),
    ],
)
def test_what_does_not_exist_is_named(
    merge: Callable[..., Any], params: Params, code: str, field: str
) -> None:
    answer = merge(**params)

    assert (answer.status_code, answer.json["code"]) == (404, code)
    assert answer.json["errors"][0]["field"] == f"params.{field}"
    assert answer.json["errors"][0]["value"] == UNKNOWN


def test_an_image_that_a_job_does_not_make_is_told_how_many_it_makes(
    merge: Callable[..., Any], submit: Callable[..., str]
) -> None:
    sampled, merged = submit(count=12), merge(timesteps=[100, 200], pairs=3).json["id"]

    for job, made in ((sampled, 12), (merged, 6)):
        answer = merge(faces=[[{"job": job, "image": made}, 3]])

        (error,) = answer.json["errors"]
        assert (answer.status_code, error["field"]) == (422, "params.faces.0.0.image")
        assert error["allowed"] == f"within 0 and {made - 1}: job {job} makes {made} images"


def test_a_job_that_makes_no_images_has_none_to_merge(
    client: FlaskClient, merge: Callable[..., Any]
) -> None:
    training = client.post("/api/v1/jobs", json={"kind": "train_ddpm", "params": {"steps": 5}})
    job = training.json["id"]

    answer = merge(faces=[[0, {"job": job, "image": 0}]])

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "params.faces.0.1.job"
    assert "this one is a train_ddpm" in answer.json["detail"]
