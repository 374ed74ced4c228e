"""The state machine itself, on real databases."""

import pytest

from jobs import job_transitions, transitions
from jobs.contract import ErrorInfo
from jobs.database import Database
from jobs.messages import Report, ReportStatus
from jobs.requests import SampleJob, SampleParams
from jobs.service import open_service
from jobs.tables import Job, Shard

pytestmark = pytest.mark.both_databases

RUNNING, LOST = ReportStatus.RUNNING, ReportStatus.LOST
ERROR = ErrorInfo(code="worker_lost", message="silent")


class Machine:
    """One job of one shard and its assembly, moved by single transitions."""

    def __init__(self, database, job_id):
        self.database, self.job_id, self.shard_id = database, job_id, f"{job_id}-0"

    def row(self):
        with self.database.read() as session:
            return session.get_one(Shard, self.shard_id)

    def job(self):
        with self.database.read() as session:
            return session.get_one(Job, self.job_id)

    def do(self, transition, *arguments):
        with self.database.write() as session:
            return transition(session, *arguments)

    def send(self, attempt, worker="a"):
        return self.do(transitions.send_anew, self.shard_id, attempt - 1, worker)

    def report(self, status=RUNNING, worker="a", attempt=1, seq=1, **values):
        report = Report(
            worker=worker,
            job_id=self.job_id,
            shard_id=self.shard_id,
            attempt=attempt,
            seq=seq,
            status=status,
            running=[],
            **values,
        )
        return self.do(transitions.record_report, report, 3)

    def take_back(self):
        with self.database.write() as session:
            shard = session.get_one(Shard, self.shard_id)
            return transitions.take_back(session, shard, ERROR, 3)

    def may_run(self, worker="a", attempt=1):
        return self.do(transitions.may_run, self.shard_id, attempt, worker)


@pytest.fixture
def machine(web_settings):
    service = open_service(web_settings)
    request = SampleJob(kind="sample", params=SampleParams(count=1, num_inference_steps=10))
    database = Database(web_settings.database_url)
    yield Machine(database, service.submit(request, "local").job.id)
    database.close()


def test_a_shard_is_sent_once_for_each_attempt(machine):
    assert machine.send(1)
    assert not machine.send(1)
    assert not machine.send(2)
    assert machine.row().attempt == 1


def test_a_report_of_what_was_never_sent_does_not_count(machine):
    assert not machine.report(attempt=1).counts
    assert machine.row().status == "queued"


def test_the_first_heard_holds_the_attempt_and_nobody_else_may_run_it(machine):
    machine.send(1, "a")
    assert machine.may_run("a")
    assert machine.may_run("b")  # a doubled message may be heard first
    assert machine.report(worker="b").counts
    assert machine.row().holder == "b"
    assert not machine.report(worker="a").counts
    assert not machine.may_run("a")


def test_an_older_state_never_replaces_a_newer_one(machine):
    machine.send(1)
    machine.report(seq=5, done=5)
    assert not machine.report(seq=4, done=4).counts
    assert not machine.report(seq=5, done=6).counts
    assert machine.row().done == 5


def test_nobody_may_go_on_with_an_attempt_that_was_handed_back(machine):
    machine.send(1)
    machine.report()
    machine.report(ReportStatus.RETURNED, seq=2)
    assert not machine.may_run("a")
    assert not machine.may_run("b")
    assert not machine.report(worker="b", seq=9).counts


def test_a_taken_back_holder_goes_on_until_the_next_send(machine):
    machine.send(1)
    machine.report()
    assert machine.take_back()
    assert (machine.row().status, machine.row().losses) == ("queued", 1)
    assert machine.report(seq=2).is_change
    assert (machine.row().status, machine.row().losses) == ("running", 0)

    assert machine.take_back()
    assert machine.send(2, "b")
    assert not machine.report(seq=3).counts
    assert not machine.may_run("a")
    assert machine.row().losses == 1


def test_silence_three_times_fails_the_shard_and_its_job(machine):
    for attempt in (1, 2, 3):
        machine.send(attempt)
        machine.report(attempt=attempt)
        assert machine.take_back()
    assert (machine.row().status, machine.row().losses) == ("failed", 3)
    assert machine.do(job_transitions.refresh_job, machine.job_id)
    assert machine.job().status == "failed"
    assert machine.job().error == ERROR.model_dump(mode="json")


def test_the_saved_step_never_shrinks(machine):
    machine.send(1)
    machine.report(seq=1, saved_step=5)
    machine.report(LOST, seq=2, saved_step=5, error=ERROR)
    machine.send(2)
    machine.report(attempt=2, saved_step=0)
    assert machine.row().saved_step == 5


@pytest.mark.parametrize("end", [ReportStatus.SUCCEEDED, ReportStatus.FAILED])
def test_nothing_follows_an_end(machine, end):
    machine.send(1)
    machine.report(end)
    before = machine.row().status
    for status in ReportStatus:
        assert not machine.report(status, seq=9).counts
    assert not machine.take_back()
    assert not machine.send(2)
    assert not machine.may_run()
    assert machine.row().status == before


def test_a_canceled_job_cannot_end_otherwise(machine):
    machine.send(1)
    machine.report()
    assert machine.do(job_transitions.cancel_job, machine.job_id)
    assert not machine.report(ReportStatus.SUCCEEDED, seq=2).counts
    assert not machine.do(job_transitions.refresh_job, machine.job_id)
    assert not machine.do(job_transitions.cancel_job, machine.job_id)
    assert machine.job().status == machine.row().status == "canceled"
