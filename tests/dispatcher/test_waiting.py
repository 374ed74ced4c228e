"""Jobs that wait for others, as the dispatcher sends and tells of them."""

import pytest

from dispatcher.outcome import Outcome
from dispatcher.recording import Recorder
from dispatcher.roster import Roster
from dispatcher.sending import Sender, Sending, shard_order
from jobs import store
from jobs.contract import ArtifactRole, ErrorInfo
from jobs.database import Database
from jobs.messages import ArtifactRecord, Heartbeat, Report, ReportStatus
from jobs.requests import BatchRequest
from jobs.service import open_service

pytestmark = pytest.mark.both_databases

SMALL = {"kind": "sample", "params": {"count": 100, "num_inference_steps": 1}}
FIGURES = {"kind": "evaluate", "params": {"job": "faces"}}
REPORT = {"kind": "report", "params": {"jobs": ["faces", "figures"]}}


def batch(**jobs):
    items = [{"label": label, "job": job} for label, job in jobs.items()]
    return BatchRequest.model_validate({"jobs": items})


CHAIN = batch(faces=SMALL, figures=FIGURES, report=REPORT)


@pytest.fixture
def database(web_settings):
    database = Database(web_settings.database_url)
    yield database
    database.close()


@pytest.fixture
def service(web_settings):
    return open_service(web_settings)


class Line:
    """A dispatcher's parts, and one worker that ends whatever it is sent."""

    def __init__(self, database):
        self.database = database
        self.roster = Roster(1000)
        self.sender = Sender(self.roster, 1000)
        self.recorder = Recorder(self.roster, 3)

    def send(self):
        """The order of the next shard, or None if nothing can be sent."""
        self.roster.hear(
            Heartbeat(worker="w", queue="w", host="", pid=1, version="", slots=1, running=[])
        )
        sending = Sending()
        with self.database.write() as session:
            self.sender.fill_slots(session, sending)
        return sending.departures[0][1] if sending.departures else None

    def report(self, order, status=ReportStatus.SUCCEEDED, **values):
        """Record the end of the order, as one pass does; its outcome."""
        outcome = Outcome()
        report = Report(
            worker="w",
            job_id=order.job_id,
            shard_id=order.shard_id,
            attempt=order.attempt,
            seq=1,
            status=status,
            running=[],
            **values,
        )
        with self.database.write() as session:
            self.recorder.record(session, [report], outcome)
            self.recorder.finish(session, outcome)
        return outcome


def made(role, name, **details):
    return ArtifactRecord(
        role=role,
        name=name,
        path=f"some/{name}",
        shape=[100, 48, 48],
        media_type="application/x-npy",
        size_bytes=1,
        sha256="ab" * 32,
        details=details,
    )


def test_a_chain_goes_link_by_link_and_each_is_told_what_the_one_before_made(service, database):
    faces, figures, report = service.submit_batch(CHAIN, "ada").jobs
    line = Line(database)
    sent = []
    while (order := line.send()) is not None:
        sent.append((order.job_id, order.work))
        images = made(ArtifactRole.IMAGES, "images.npy")
        metrics = made(ArtifactRole.METRICS, "metrics.json")
        line.report(order, artifacts=[metrics if order.work.kind == "evaluate" else images])

    assert [job for job, _ in sent] == [*[faces.id] * 5, figures.id, report.id]
    evaluating, reporting = sent[-2][1], sent[-1][1]
    assert evaluating.job.images.path == "some/images.npy"
    assert (evaluating.job.kind, evaluating.judge) == ("sample", None)
    first, second = reporting.jobs
    assert (first.id, first.kind, first.seconds is not None) == (faces.id, "sample", True)
    assert [(file.role, file.name) for file in first.files] == [("images", "images.npy")]
    assert [(each.field, each.id) for each in first.checkpoints] == [("checkpoint", "bundled")]
    assert first.checkpoints[0].facts["timesteps"] == 1000
    assert [file.name for file in second.files] == ["metrics.json"]
    assert service.get_job(report.id).status == "succeeded"


def test_a_failure_is_published_for_every_job_that_waited(service, database):
    jobs = service.submit_batch(CHAIN, "ada").jobs
    line = Line(database)
    order = line.send()

    error = ErrorInfo(code="sampling_failed", message="not finite")
    outcome = line.report(order, ReportStatus.FAILED, error=error)

    told = {update.job_id: update for update in outcome.updates}
    assert told.keys() == {job.id for job in jobs}
    assert {update.status for update in told.values()} == {"failed"}
    assert all(update.shards_changed for update in told.values())
    assert line.send() is None
    assert service.get_job(jobs[2].id).error.code == "parent_failed"


def test_a_report_tells_of_the_checkpoints_that_its_jobs_made_and_of_their_curves(
    service, database
):
    training = {"synthetic_count": 100, "batch_size": 8}
    chain = batch(
        net={"kind": "train_ddpm", "params": training},
        more={"kind": "train_ddpm", "params": training | {"initial": {"job": "net"}}},
        report={"kind": "report", "params": {"jobs": ["more"]}},
    )
    *_, report = service.submit_batch(chain, "ada").jobs
    line = Line(database)
    network = made(ArtifactRole.CHECKPOINT, "net.safetensors", architecture="unet", width=32)
    for _ in range(2):
        line.report(line.send(), artifacts=[network], curves={"loss": [(1, 0.5)]})

    with database.write() as session:
        (shard,) = store.shards_of(session, report.id)
        (told,) = shard_order(session, shard, 1).work.jobs

    assert [(each.field, each.id) for each in told.checkpoints] == [
        ("initial", "ab" * 8),
        ("made", "ab" * 8),
    ]
    assert told.curves == {"loss": [(1, 0.5)]}
