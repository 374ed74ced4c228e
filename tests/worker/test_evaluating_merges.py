"""The runner of evaluations, on merges whose answer is known."""

import hashlib
import io
import json

import numpy as np
import pytest

from formats.pictures import encode_png
from jobs.messages import ShardOrder
from jobs.requests import EvaluateParams, MergeParams
from jobs.works import EvaluatedJob, EvaluateWork, FileReference, SyntheticDataset
from synthetic import synthetic_faces

PAIRS = 30


@pytest.fixture
def keep(artifacts):
    """Keeps a file in the store."""

    def keep_file(path: str, content: bytes) -> FileReference:
        artifacts.write_bytes(path, content)
        return FileReference(path=path, sha256=hashlib.sha256(content).hexdigest())

    return keep_file


@pytest.fixture
def evaluate(inner_engine, keep):
    """Evaluates these merged images; the metrics."""

    def run(images: np.ndarray, sources: np.ndarray, uploaded=None, **params) -> dict:
        contents = []
        for array in (images, sources):
            content = io.BytesIO()
            np.save(content, array)
            contents.append(content.getvalue())
        job = EvaluatedJob(
            kind="merge",
            images=keep("jobs/earlier/images.npy", contents[0]),
            sources=keep("jobs/earlier/sources.npy", contents[1]),
            merge=MergeParams(**params),
            mask=None if uploaded is None else keep("uploads/mask.png", encode_png(uploaded)),
        )
        work = EvaluateWork(
            params=EvaluateParams(job="named"),
            dataset=SyntheticDataset(count=400, seed=1),
            job=job,
            checkpoint=None,
        )
        order = ShardOrder(job_id="job", shard_id="job-0", attempt=1, work=work)
        files = inner_engine.run(order)
        assert list(files) == ["metrics.json"]
        return json.loads(files["metrics.json"].content)

    return run


def sources_of() -> np.ndarray:
    return synthetic_faces(2 * PAIRS, 2)[0].reshape(PAIRS, 2, 48, 48)


def test_cut_halves_have_a_seam_and_keep_their_sources_and_whole_faces_have_neither(evaluate):
    sources = sources_of()
    cut = np.concatenate([sources[:, 0, :, :24], sources[:, 1, :, 24:]], axis=2)
    images = np.concatenate([cut, sources[:, 0]])

    metrics = evaluate(images, sources, timesteps=[100, 700])

    assert (metrics["images"], metrics["n"]) == (60, PAIRS)
    of_cut, of_whole = metrics["merge"]
    assert (of_cut["t"], of_whole["t"]) == (100, 700)
    plain = metrics["plain_seam_energy"]
    assert of_cut["seam_energy"]["value"] > 10 * plain["value"]
    error = np.hypot(of_whole["seam_energy"]["error"], plain["error"])
    assert abs(of_whole["seam_energy"]["value"] - plain["value"]) < 4 * error
    assert of_cut["correlation_first"] == {"value": pytest.approx(1), "error": pytest.approx(0)}
    assert of_cut["correlation_second"]["value"] == pytest.approx(1)
    assert of_whole["correlation_first"]["value"] == pytest.approx(1)
    assert of_whole["correlation_second"]["value"] < 0.9
    figures = {figure["name"]: figure for figure in metrics["figures"]}
    assert figures["seam_energy_t_100"]["value"] == of_cut["seam_energy"]["value"]
    assert figures["seam_energy_t_100"]["floor"] == plain["value"]
    assert len(figures) == 6


def test_a_mask_without_an_edge_has_no_seam(evaluate):
    sources = sources_of()
    white = np.full((48, 48), 255, np.uint8)
    params = {"timesteps": [300], "mask": "upload", "mask_upload": "named"}

    metrics = evaluate(sources[:, 0], sources, white, **params)

    (row,) = metrics["merge"]
    assert row["seam_energy"] is None
    assert metrics["plain_seam_energy"] is None
    assert row["correlation_first"]["value"] == pytest.approx(1)
    assert row["correlation_second"] is None
