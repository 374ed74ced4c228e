"""The wall clock jumps by an hour: rows of the time before are what is left of it."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from jobs.database import Database
from jobs.messages import Heartbeat
from jobs.queue_order import Runnable, front_of_queue
from jobs.requests import SampleJob, SampleParams
from jobs.tables import Job, Worker
from jobs.workers import note_worker

HOUR = timedelta(hours=1)


def submit(service) -> str:
    return service.submit(SampleJob(kind="sample", params=SampleParams(count=1)), "ada").job.id


def heard(database: Database, worker: str, ahead: timedelta = timedelta(0)) -> None:
    """The worker was heard, by a clock that was so far ahead of now."""
    beat = Heartbeat(
        worker=worker, queue=worker, host="lab", pid=1, version="0", slots=1, running=[]
    )
    with database.write() as session:
        note_worker(session, beat)
    with database.write() as session:
        moved = update(Worker).where(Worker.id == worker)
        session.execute(moved.values(last_seen_at=datetime.now(UTC) + ahead))


def shift(database: Database, by: timedelta) -> None:
    """All jobs so far were made by a clock that was so far ahead of now."""
    with database.write() as session:
        for job in session.scalars(select(Job)):
            job.created_at += by


def queue_of(database: Database) -> list[str]:
    with database.read() as session:
        front = front_of_queue(session, datetime.now(UTC), 100, Runnable())
        return [*dict.fromkeys(shard.job_id for shard in front)]


def test_jobs_keep_their_order_when_the_clock_is_set_back(service, database) -> None:
    before = [submit(service) for _ in range(2)]
    shift(database, HOUR)

    after = [submit(service) for _ in range(2)]

    assert queue_of(database) == before + after
    assert [job.id for job in service.list_jobs().items] == (before + after)[::-1]
    page = service.list_jobs(limit=3)
    assert [job.id for job in service.list_jobs(3, page.next_cursor).items] == before[:1]


def test_jobs_keep_their_order_when_the_clock_is_set_forward(service, database) -> None:
    before = submit(service)
    shift(database, -HOUR)

    after = submit(service)

    assert queue_of(database) == [before, after]


def test_a_clock_that_was_once_wrong_by_years_is_not_followed(service, database) -> None:
    submit(service)
    shift(database, timedelta(days=3650))

    job = service.get_job(submit(service))

    assert abs(job.created_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_worker_that_died_before_the_clock_was_set_back_is_not_online(service, database) -> None:
    heard(database, "dead", HOUR)
    heard(database, "alive")

    assert [worker.id for worker in service.list_workers()] == ["alive"]


def test_all_workers_are_online_again_with_their_next_heartbeat(service, database) -> None:
    heard(database, "worker", -HOUR)
    assert service.list_workers() == []

    heard(database, "worker")

    assert [worker.id for worker in service.list_workers()] == ["worker"]


def test_workers_of_a_far_future_are_forgotten_too(service, database) -> None:
    heard(database, "of-a-wrong-clock", timedelta(days=400))

    heard(database, "new")

    with database.read() as session:
        assert set(session.scalars(select(Worker.id))) == {"new"}
