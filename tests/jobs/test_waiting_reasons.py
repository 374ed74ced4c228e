"""Why jobs wait, said from facts, on a real SQLite file."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs import job_transitions, store, transitions
from jobs.contract import ErrorInfo
from jobs.messages import Heartbeat, Report, ReportStatus
from jobs.requests import JobChange, SampleJob, SampleParams
from jobs.usage import add_usage
from jobs.workers import note_worker

DIED = ErrorInfo(code="worker_lost", message="silent", details={"worker": "y"})


@pytest.fixture
def submit(service):
    def submit(submitter="ada", count=25, priority=0):
        params = SampleParams(count=count, num_inference_steps=1)
        request = SampleJob(kind="sample", params=params, priority=priority)
        return service.submit(request, submitter).job.id

    return submit


@pytest.fixture
def reason(service):
    def reason(job):
        listed = {each.id: each.waiting_reason for each in service.list_jobs().items}
        assert listed[job] == service.get_job(job).waiting_reason
        return listed[job]

    return reason


@pytest.fixture
def online(database):
    def online(worker="w", slots=1, **capabilities):
        beat = Heartbeat(
            worker=worker,
            queue=worker,
            host="",
            pid=1,
            version="",
            slots=slots,
            running=[],
            capabilities=capabilities,
        )
        with database.write() as session:
            note_worker(session, beat)

    return online


@pytest.fixture
def report(database):
    def report(shard_id, attempt, status, **said):
        said = {"worker": "w", "seq": 9, "running": [], "job_id": shard_id[:-2]} | said
        with database.write() as session:
            shard = store.find_shard(session, shard_id)
            if shard.attempt < attempt:
                transitions.send_anew(session, shard_id, attempt - 1, said["worker"])
            message = Report(shard_id=shard_id, attempt=attempt, status=status, **said)
            assert transitions.record_report(session, message, 3).counts
            job_transitions.refresh_job(session, message.job_id)

    return report


def test_there_must_be_a_worker_that_runs_the_kind_and_takes_work(submit, reason, online, service):
    job = submit()
    assert reason(job) == "No worker is online."
    online("trainer", kinds=["train_ddpm"])
    assert reason(job) == "No worker that is online runs kind sample."
    online("w", kinds=["sample"])
    assert reason(job) == "It waits for a free worker."
    service.drain_worker("w", "ada")
    assert reason(job) == "1 worker could run it, but is drained."
    service.undrain_worker("w")
    assert reason(job) == "It waits for a free worker."
    online("w", slots=0, kinds=["sample"])
    assert reason(job) == "1 worker could run it, but takes no shards now."


def test_a_pause_says_by_whom_and_why(submit, reason, online, service):
    job = submit()
    online()
    service.pause_queue("sample", "new weights come", "bob")
    assert reason(job) == "Kind sample is paused by bob: new weights come"
    service.pause_queue("all", "the lab moves", "ada")
    assert reason(job) == "The queue is paused by ada: the lab moves"
    service.resume_queue("all")
    service.resume_queue("sample")
    assert reason(job) == "It waits for a free worker."


def test_jobs_before_are_counted_in_the_real_order(submit, reason, online, service, database):
    online()
    jobs = [submit("ada") for _ in range(3)]
    bob = submit("bob")
    assert [reason(job) for job in [*jobs, bob]] == [
        "It waits for a free worker.",
        "2 jobs go before it.",  # bob's goes before ada's second
        "3 jobs go before it.",
        "1 job goes before it.",
    ]
    with database.write() as session:
        add_usage(session, {"bob": 1000.0}, datetime.now(UTC))
    assert reason(bob) == "3 jobs go before it."
    service.change_job(bob, JobChange(priority=1))
    assert reason(bob) == "It waits for a free worker."


def test_what_was_sent_and_not_answered_says_to_whom(submit, reason, online, database):
    job = submit()
    online()
    with database.write() as session:
        transitions.send_anew(session, f"{job}-0", 0, "w")
    assert reason(job) == "It was sent to worker w, which has not answered yet."


def test_setbacks_are_told_with_the_worker_and_the_time(
    submit, reason, online, report, database, moment
):
    job = submit(count=50)
    online()
    report(f"{job}-0", 1, ReportStatus.RUNNING)
    assert reason(job) == "One of its shards waits for a free worker."

    report(f"{job}-0", 1, ReportStatus.LOST, seq=10, error=DIED)
    assert reason(job) == "Shard 0 is sent again after worker y died, and waits for a free worker."

    report(f"{job}-0", 2, ReportStatus.RUNNING)
    report(f"{job}-1", 1, ReportStatus.RUNNING)
    assert reason(job) is None
    report(f"{job}-1", 1, ReportStatus.RETURNED, seq=10)
    with database.write() as session:
        transitions.delay(session, f"{job}-1", moment + timedelta(seconds=8), 4, "z")
    assert reason(job) == "Shard 1 was handed back by worker z, and is sent again in 8 s."


@pytest.mark.parametrize(("code", "what"), [("engine_died", "died"), ("engine_hung", "hung")])
def test_of_a_lost_engine_nobody_is_told_that_its_worker_died(
    submit, reason, online, report, code, what
):
    job = submit()
    online()
    report(f"{job}-0", 1, ReportStatus.RUNNING)
    lost = ErrorInfo(code=code, message="the engine", details={"worker": "y"})
    report(f"{job}-0", 1, ReportStatus.LOST, seq=10, error=lost)
    assert reason(job) == (
        f"Shard 0 is sent again after the engine of worker y {what}, and waits for a free worker."
    )


def test_an_hour_of_a_wrong_clock_delays_no_shard(submit, reason, online, database):
    job = submit()
    online()
    with database.write() as session:
        far = datetime.now(UTC) + timedelta(hours=1)
        transitions.delay(session, f"{job}-0", far, 1, "z")
    assert reason(job) == (
        "It is sent again after worker z handed it back, and waits for a free worker."
    )
