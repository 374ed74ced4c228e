"""People who cancel what is just ending, and ask again when the answer was lost."""

import threading

import pytest

from jobs import job_transitions, transitions
from jobs.database import Database
from jobs.errors import IdempotencyConflictError, JobEndedError
from jobs.messages import Report, ReportStatus
from jobs.requests import SampleJob, SampleParams
from jobs.tables import Job, Shard

pytestmark = pytest.mark.both_databases


def finish(database, job_id, start):
    """Record the end of all shards as the dispatcher does."""
    start.wait()
    with database.write() as session:
        for index in (0, 1):
            report = Report(
                worker="a",
                job_id=job_id,
                shard_id=f"{job_id}-{index}",
                attempt=1,
                seq=1,
                status=ReportStatus.SUCCEEDED,
                running=[],
            )
            transitions.record_report(session, report, max_losses=3)
        job_transitions.refresh_job(session, job_id)


def cancel(service, job_id, start, answers):
    start.wait()
    try:
        answers.append(service.cancel(job_id).status)
    except JobEndedError:
        answers.append("ended")


def test_cancel_against_finish_has_one_winner_for_all_who_look(system, checkpoint, web_settings):
    database = Database(web_settings.database_url)
    for _ in range(40):
        job = system.submit(checkpoint=checkpoint, count=1, num_inference_steps=1)
        with database.write() as session:
            for index in (0, 1):
                assert transitions.send_anew(session, f"{job.id}-{index}", 0, "a")
        start, answers = threading.Barrier(2), []
        threads = [
            threading.Thread(target=finish, args=(database, job.id, start)),
            threading.Thread(target=cancel, args=(system.service, job.id, start, answers)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        with database.read() as session:
            status = session.get_one(Job, job.id).status
            shards = {session.get_one(Shard, f"{job.id}-{i}").status for i in (0, 1)}
        assert (*answers, status) in {("canceled", "canceled"), ("ended", "succeeded")}
        assert shards == {status}
    database.close()


def request(checkpoint, seed=1):
    params = SampleParams(checkpoint=checkpoint, count=1, num_inference_steps=1, seed=seed)
    return SampleJob(kind="sample", params=params)


def test_a_repeated_request_gives_the_job_of_the_first(system, checkpoint):
    first = system.service.submit(request(checkpoint), "ada", "key")
    again = system.service.submit(request(checkpoint), "ada", "key")

    assert (first.is_replay, again.is_replay) == (False, True)
    assert first.job.id == again.job.id
    assert len(system.service.list_jobs().items) == 1


def test_many_repeats_at_once_make_one_job(system, checkpoint):
    start, ids = threading.Barrier(8), []

    def submit():
        start.wait()
        ids.append(system.service.submit(request(checkpoint), "ada", "key").job.id)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert len(system.service.list_jobs().items) == 1


def test_the_same_key_with_another_request_is_refused_and_another_persons_key_is_not(
    system, checkpoint
):
    first = system.service.submit(request(checkpoint), "ada", "key")
    with pytest.raises(IdempotencyConflictError) as conflict:
        system.service.submit(request(checkpoint, seed=2), "ada", "key")
    assert conflict.value.details["job_id"] == first.job.id
    assert system.service.submit(request(checkpoint), "bob", "key").job.id != first.job.id
