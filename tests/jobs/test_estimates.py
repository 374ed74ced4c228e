"""Estimates from measured shards, and how they came true, on a real SQLite file."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from jobs.estimates import judge, keep_first
from jobs.forecast import Forecast
from jobs.messages import Heartbeat
from jobs.requests import SampleJob, SampleParams
from jobs.tables import Job, Timing
from jobs.timings import KEPT, add_timings, device_words, timing_of
from jobs.workers import note_worker

CPU = {"device": "cpu", "name": "x86_64", "threads": 1}


@pytest.fixture
def submit(service):
    def submit(submitter="ada", count=25, steps=10):
        params = SampleParams(count=count, num_inference_steps=steps)
        return service.submit(SampleJob(kind="sample", params=params), submitter).job.id

    return submit


@pytest.fixture
def measure(database):
    """Shards of 250 image-steps took so many seconds, and their assembly one."""

    def measure(*seconds, device="cpu, 1 thread"):
        with database.write() as session:
            for each in seconds:
                whole = timing_of("assemble", 25, device, "image-steps", 1.0)
                part = timing_of("sample", 250, device, "image-steps", each)
                add_timings(session, [part, whole])

    return measure


@pytest.fixture
def online(database):
    def online(*workers):
        with database.write() as session:
            for worker in workers:
                beat = Heartbeat(
                    worker=worker,
                    queue=worker,
                    host="",
                    pid=1,
                    version="",
                    slots=1,
                    running=[],
                    capabilities=CPU,
                )
                note_worker(session, beat)

    return online


@pytest.fixture
def seconds_of(moment):
    """How long after the estimate was made."""
    return lambda times: [(each - moment).total_seconds() for each in times]


def test_nothing_is_estimated_where_nothing_was_measured(submit, online, service):
    job = submit()
    assert service.get_job(job).estimate.reason == "No worker is online."
    online("w")
    estimate = service.get_job(job).estimate
    assert (estimate.start, estimate.end) == (None, None)
    assert estimate.reason == "No shard of kind sample was measured yet."
    service.cancel(job)
    assert service.get_job(job).estimate is None


def test_a_job_ends_when_all_that_goes_before_it_has_been_run(
    submit, online, measure, service, seconds_of
):
    online("w")
    measure(*[10.0] * 5)
    first, last = submit(count=50), submit(count=25)

    start, end = service.get_job(first).estimate.start, service.get_job(first).estimate.end
    assert seconds_of(start) == pytest.approx([0, 2])
    # two shards, and the assembly of twice as many images; at worst another shard before it
    assert seconds_of(end) == pytest.approx([0.9 * 22, 1.2 * (22 + 10) + 2])
    start, end = service.get_job(last).estimate.start, service.get_job(last).estimate.end
    assert seconds_of(start) == pytest.approx([0.9 * 20, 1.2 * 20 + 2])
    assert seconds_of(end)[0] == pytest.approx(0.9 * 31)


def test_more_workers_are_faster_and_spread_speeds_widen_the_range(
    submit, online, measure, service, seconds_of
):
    online("a", "b")
    measure(5.0, 10.0, 20.0)
    job = submit(count=100)  # two shards after another on each
    best, worst = seconds_of(service.get_job(job).estimate.end)
    assert best == pytest.approx(0.9 * (2 * 6 + 4))  # the first tenth of 5, 10, 20
    assert worst == pytest.approx(1.2 * (2 * 18 + 4 + 18) + 2)


def test_a_larger_shard_takes_longer_in_proportion(submit, online, measure, service, seconds_of):
    online("w")
    measure(*[10.0] * 3)
    job = submit(steps=20)
    assert seconds_of(service.get_job(job).estimate.end)[0] == pytest.approx(0.9 * 21)


def test_only_the_newest_timings_are_kept(measure, database):
    for _ in range(5):
        measure(*[1.0] * 20)
    with database.read() as session:
        count = session.scalar(select(func.count()).where(Timing.kind == "sample"))
    assert count == KEPT


def test_the_record_says_how_many_ended_within_their_first_estimate(submit, service, database):
    jobs = [submit() for _ in range(4)]
    now = datetime.now(UTC)
    within = (now + timedelta(seconds=10), now + timedelta(seconds=20))
    with database.write() as session:
        keep_first(session, {job: Forecast((now, now), within) for job in jobs[:3]}, now)
        late = (now + timedelta(hours=1), now + timedelta(hours=2))
        keep_first(session, {jobs[0]: Forecast((now, now), late)}, now)  # the first one counts
        ends = [(15, "succeeded"), (25, "succeeded"), (15, "failed"), (15, "succeeded")]
        for job_id, (seconds, status) in zip(jobs, ends, strict=True):
            job = session.get_one(Job, job_id)
            job.status, job.started_at = status, now
            job.finished_at = now + timedelta(seconds=seconds)
            judge(session, job)
            judge(session, job)

    record = service.queue().estimates
    assert (record.jobs, record.ends_within) == (2, 1)
    assert (record.starts, record.starts_within) == (2, 2)


def test_speeds_are_shown_by_kind_and_device(measure, service):
    measure(5.0, 10.0, 20.0)
    measure(1.0, device="H200")
    speeds = {(each.kind, each.device): each for each in service.queue().speeds}
    assert speeds["sample", "cpu, 1 thread"].per_second == pytest.approx((15.0, 25.0, 45.0))
    assert speeds["sample", "H200"].per_second == (250.0, 250.0, 250.0)
    assert speeds["assemble", "H200"].unit == "images"


def test_a_device_is_told_by_what_its_speed_depends_on():
    assert device_words(CPU) == "cpu, 1 thread"
    assert device_words({"device": "cuda:1", "name": "NVIDIA H200"}) == "NVIDIA H200"
    assert device_words({}) is None
