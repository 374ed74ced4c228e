"""Messages fit the columns that they are written to: one that did not would hold all others up."""

import pytest
from pydantic import ValidationError
from sqlalchemy import String

from jobs.columns import Base
from jobs.contract import ArtifactRole, JobStatus
from jobs.kinds import KINDS
from jobs.messages import ArtifactRecord, Heartbeat, message_adapter
from jobs.tables import Artifact, Job, Shard, Worker

BEAT = Heartbeat(worker="a", queue="a", host="h", pid=1, version="1", slots=1, running=[])
RECORD = ArtifactRecord(
    role=ArtifactRole.IMAGES,
    name="images.npy",
    path="jobs/a",
    shape=[1],
    media_type="image/png",
    size_bytes=1,
    sha256="0" * 64,
)


def length(table: type[Base], column: str) -> int:
    kind = table.__table__.columns[column].type
    assert isinstance(kind, String)
    assert kind.length is not None
    return kind.length


@pytest.mark.parametrize(
    ("message", "field", "longest"),
    [
        (BEAT, "worker", length(Worker, "id")),
        (BEAT, "worker", length(Shard, "holder")),
        (BEAT, "host", length(Worker, "host")),
        (BEAT, "version", length(Worker, "version")),
        (RECORD, "name", length(Artifact, "name")),
        (RECORD, "path", length(Artifact, "path")),
        (RECORD, "media_type", length(Artifact, "media_type")),
        (RECORD, "sha256", length(Artifact, "sha256")),
    ],
)
def test_a_text_has_the_length_of_its_column_at_most_and_no_nul(message, field, longest):
    kind, given = type(message), message.model_dump(mode="json")
    assert getattr(kind.model_validate(given | {field: "x" * longest}), field) == "x" * longest
    for bad in ("x" * (longest + 1), "a\0b"):
        with pytest.raises(ValidationError, match=field):
            kind.model_validate(given | {field: bad})


@pytest.mark.parametrize(
    ("name", "least", "largest"),
    [
        ("seq", 1, 2**31 - 1),
        ("attempt", 0, 2**31 - 1),
        ("done", 0, 2**31 - 1),
        ("saved_step", 0, 2**31 - 1),
        ("preview_version", 0, 2**63 - 1),
    ],
)
def test_a_number_has_the_range_of_its_column(name, least, largest):
    report = {
        "type": "report",
        "worker": "a",
        "job_id": "j",
        "shard_id": "j-0",
        "attempt": 1,
        "seq": 1,
        "status": "running",
        "running": [],
    }
    assert getattr(message_adapter.validate_python(report | {name: largest}), name) == largest
    for bad in (least - 1, largest + 1):
        with pytest.raises(ValidationError, match=name):
            message_adapter.validate_python(report | {name: bad})


def test_our_own_words_fit_their_columns():
    assert max(map(len, ArtifactRole)) <= length(Artifact, "role")
    assert max(map(len, JobStatus)) <= min(length(Job, "status"), length(Shard, "status"))
    assert max(map(len, KINDS)) <= min(length(Job, "kind"), length(Shard, "kind"))
