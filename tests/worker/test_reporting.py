"""The runner of reports, over files in a store."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from formats.pictures import collage, encode_png
from jobs.contract import ArtifactRole
from jobs.errors import ArtifactStoreError
from jobs.messages import ShardOrder
from jobs.requests import BatchRequest, MergeParams, ReportParams, SampleParams
from jobs.works import (
    FileReference,
    ReportedCheckpoint,
    ReportedFile,
    ReportedJob,
    ReportWork,
)
from synthetic import synthetic_faces
from worker.engine.shard import InterruptedShard
from worker.protocol import Interrupt, Working

Keep = Callable[..., ReportedFile]


@pytest.fixture
def keep_file(artifacts) -> Keep:
    """Keeps a file of a job."""

    def keep(role: ArtifactRole, name: str, content: bytes, media_type: str, shape=()) -> Any:
        sha256 = hashlib.sha256(content).hexdigest()
        path = f"jobs/made/{sha256[:8]}/{name}"
        artifacts.write_bytes(path, content)
        reference = FileReference(path=path, sha256=sha256)
        return ReportedFile(
            role=role, name=name, media_type=media_type, shape=list(shape), file=reference
        )

    return keep


@pytest.fixture
def order(keep_file: Keep, keep_network) -> ShardOrder:
    """A report on a sampling, a merge of what it made, and a training's figures."""
    network = ReportedCheckpoint(
        field="checkpoint",
        id="bundled",
        name="bundled",
        facts={"architecture": "unet", "width": 8, "timesteps": 1000},
        file=keep_network(),
    )
    sheet = collage(synthetic_faces(4, 1)[0], 2)
    picture = keep_file(
        *(ArtifactRole.COLLAGE, "collage.png", encode_png(sheet), "image/png"), shape=(96, 96)
    )
    content = io.BytesIO()
    np.save(content, np.zeros((1, 2, 48, 48), np.uint8))
    sources = keep_file(
        *(ArtifactRole.SOURCES, "sources.npy", content.getvalue(), "application/x-npy")
    )
    figures = json.dumps({"mae_by_tenth": list(range(10))}).encode()
    metrics = keep_file(ArtifactRole.METRICS, "metrics.json", figures, "application/json")
    merge = MergeParams(seed=2, faces=[[{"job": "one", "image": 0}, 3]])
    parts = [
        ("one", "sample", SampleParams(seed=1, count=4).model_dump(mode="json"), [picture]),
        ("two", "merge", merge.model_dump(mode="json"), [sources]),
        ("three", "train_regressor", {"seed": 3}, [metrics]),
    ]
    jobs = [
        ReportedJob(
            id=job_id,
            kind=kind,
            name="<ours>",
            params=params,
            seconds=61.0,
            files=files,
            checkpoints=[network],
        )
        for job_id, kind, params, files in parts
    ]
    work = ReportWork(
        params=ReportParams(jobs=["one", "two", "three"], title="Our report"),
        jobs=jobs,
        submitter="ada",
        submitted_on=date(2026, 11, 25),
    )
    return ShardOrder(job_id="job", shard_id="job-0", attempt=1, work=work)


def test_a_report_is_a_batch_a_page_a_pdf_and_a_zip(inner_engine, order):
    files = inner_engine.run(order)

    assert {name: file.media_type for name, file in files.items()} == {
        "jobs.json": "application/json",
        "report.html": "text/html",
        "report.pdf": "application/pdf",
        "assignment.zip": "application/zip",
    }
    assert {file.role for file in files.values()} == {ArtifactRole.REPORT}
    BatchRequest.model_validate_json(files["jobs.json"].content)
    page = files["report.html"].content.decode()
    for expected in ("Our report", "ada", "2026-11-25", "&lt;ours&gt;", "901–1000", "1 min 1 s"):
        assert expected in page
    assert files["report.pdf"].content.startswith(b"%PDF")
    with zipfile.ZipFile(io.BytesIO(files["assignment.zip"].content)) as archive:
        assert archive.read("report.pdf") == files["report.pdf"].content
        assert {"sample/collage.png", "merge/sources.npy", "train_regressor/metrics.json"} <= set(
            archive.namelist()
        )


def test_the_same_work_makes_the_same_bytes(inner_engine, order):
    first, second = inner_engine.run(order), inner_engine.run(order)

    assert {n: f.content for n, f in first.items()} == {n: f.content for n, f in second.items()}


def test_progress_is_in_percent_and_comes_to_a_hundred(inner_engine, order):
    shard = inner_engine.shard(order)

    inner_engine.runner("report").run(shard, order.work)

    dones = [event.done for event in inner_engine.said(Working)]
    assert dones == sorted(dones)
    assert {0, 13, 26} <= set(dones)
    assert max(dones) >= 55
    assert shard.done == 100


@pytest.mark.parametrize("interrupt", list(Interrupt))
@pytest.mark.parametrize("done", [0, 26, 55])
def test_a_report_is_broken_off_between_its_parts(inner_engine, order, interrupt, done):
    inner_engine.interrupt_when = lambda engine: (
        interrupt if any(event.done >= done for event in engine.said(Working)) else None
    )

    with pytest.raises(InterruptedShard) as broken_off:
        inner_engine.run(order)

    assert broken_off.value.interrupt is interrupt


def test_a_file_that_is_gone_is_named(inner_engine, order, artifacts):
    artifacts.write_bytes(order.work.jobs[0].files[0].file.path, b"another")

    with pytest.raises(ArtifactStoreError, match=r"collage\.png"):
        inner_engine.run(order)
