"""Jobs that wait for others, on real databases."""

import threading
from datetime import UTC, datetime

import pytest

from jobs import job_transitions, store, transitions
from jobs.contract import ErrorInfo
from jobs.errors import JobNotFoundError, ValidationError
from jobs.messages import Report, ReportStatus
from jobs.parents import named_jobs, with_jobs_renamed
from jobs.queue_order import Runnable, front_of_queue, jobs_before
from jobs.requests import (
    EvaluateJob,
    EvaluateParams,
    ReportJob,
    ReportParams,
    SampleJob,
    SampleParams,
)

pytestmark = pytest.mark.both_databases

DIVERGED = ErrorInfo(code="sampling_failed", message="the faces are not finite")


def sample(after=(), **about) -> SampleJob:
    params = SampleParams(count=100, num_inference_steps=1)
    return SampleJob(kind="sample", params=params, after=list(after), **about)


def evaluation(job) -> EvaluateJob:
    return EvaluateJob(kind="evaluate", params=EvaluateParams(job=job))


def report(*jobs) -> ReportJob:
    return ReportJob(kind="report", params=ReportParams(jobs=list(jobs)))


@pytest.fixture
def submit(service):
    return lambda request: service.submit(request, "ada").job


def end(database, job_id, status=ReportStatus.SUCCEEDED, error=None):
    """All shards end so, one after the other; the ids of the jobs that changed with the last."""
    with database.write() as session:
        for shard in store.shards_of(session, job_id):
            if not transitions.send_anew(session, shard.id, 0, "worker"):
                continue
            said = Report(
                worker="worker",
                job_id=job_id,
                shard_id=shard.id,
                attempt=1,
                seq=1,
                status=status,
                error=error,
                running=[],
            )
            assert transitions.record_report(session, said, 3).counts
        return job_transitions.refresh_job(session, job_id)


def sendable(database):
    with database.read() as session:
        front = front_of_queue(session, datetime.now(UTC), 100, Runnable())
        return {shard.job_id for shard in front}


def test_jobs_are_named_at_any_depth_and_nothing_else_is_taken_for_one():
    params = {
        "checkpoint": {"job": "a"},
        "faces": [[1, {"job": "b", "image": 3}], [{"upload": "u"}, 2]],
        "jobs": ["c", "d"],
        "job": None,
        "dataset": "e",
    }

    assert list(named_jobs(params)) == [
        ("params.checkpoint.job", "a"),
        ("params.faces.0.1.job", "b"),
        ("params.jobs.0", "c"),
        ("params.jobs.1", "d"),
    ]
    renamed = with_jobs_renamed(params, lambda _, named: named.upper())
    assert [job for _, job in named_jobs(renamed)] == ["A", "B", "C", "D"]
    assert renamed["faces"] == [[1, {"job": "B", "image": 3}], [{"upload": "u"}, 2]]
    assert (renamed["job"], renamed["dataset"]) == (None, "e")


def test_parents_are_those_of_after_and_those_that_the_parameters_name_each_once(submit):
    first, second = submit(sample()).id, submit(sample()).id

    waiting = submit(report(first, second).model_copy(update={"after": [second]}))

    assert waiting.after == [first, second]
    assert waiting.params["jobs"] == [first, second]


def test_a_job_is_not_sent_before_all_its_parents_have_succeeded(submit, database):
    parents = [submit(sample()).id for _ in range(2)]
    child = submit(sample(after=parents)).id

    assert sendable(database) == set(parents)
    end(database, parents[0])
    assert sendable(database) == {parents[1]}
    end(database, parents[1])
    assert sendable(database) == {child}


def test_a_job_of_ended_parents_goes_at_once(submit, database):
    parent = submit(sample()).id
    end(database, parent)

    child = submit(sample(after=[parent]))

    assert child.after == [parent]
    assert child.waiting_reason == "No worker is online."
    assert sendable(database) == {child.id}


def test_a_waiting_job_says_for_whom(submit, database, service):
    parents = [submit(sample()).id for _ in range(3)]
    child = submit(sample(after=parents))

    assert child.waiting_reason == f"It waits for 3 jobs, first {parents[0]} (sample, queued)."
    end(database, parents[0])
    end(database, parents[2])
    reason = f"It waits for job {parents[1]} (sample, queued)."
    assert service.get_job(child.id).waiting_reason == reason


def test_jobs_that_wait_for_others_do_not_go_before_anybody(submit, database, service):
    parent = submit(sample(priority=-5)).id
    submit(sample(after=[parent], priority=9))
    last = submit(sample())

    with database.read() as session:
        front = front_of_queue(session, datetime.now(UTC), 100, Runnable())
    assert jobs_before(front) == {last.id: 0, parent: 1}


def test_a_failing_parent_fails_all_that_wait_for_it_with_its_reason(submit, database, service):
    parent = submit(sample()).id
    child, other = submit(evaluation(parent)), submit(sample())
    grandchild = submit(report(child.id, other.id))

    changed = end(database, parent, ReportStatus.FAILED, DIVERGED)

    assert changed == [parent, child.id, grandchild.id]
    ended = service.get_job(child.id)
    assert (ended.status, ended.status_seq, ended.error.code) == ("failed", 2, "parent_failed")
    assert ended.error.message == (
        f"It waited for job {parent} (sample), which failed: the faces are not finite"
    )
    assert ended.finished_at is not None
    assert ended.started_at is None
    assert {shard.status for shard in service.list_shards(child.id)} == {"canceled"}
    last = service.get_job(grandchild.id)
    assert last.error.message == (
        f"It waited for job {child.id} (evaluate), which failed because job {parent} (sample) "
        "failed: the faces are not finite"
    )
    assert last.error.details["first"] == {
        "job": parent,
        "kind": "sample",
        "code": "sampling_failed",
    }
    assert service.get_job(other.id).status == "queued"


def test_canceling_cancels_what_waits_and_says_so(submit, service):
    parent = submit(sample()).id
    child = submit(evaluation(parent)).id
    grandchild = submit(report(child)).id

    canceled = service.cancel(parent)

    assert (canceled.status, canceled.error) == ("canceled", None)
    assert canceled.also_canceled == [child, grandchild]
    ended = service.get_job(child)
    assert (ended.status, ended.error.code) == ("canceled", "parent_canceled")
    assert ended.error.message == f"It waited for job {parent} (sample), which was canceled."
    assert {shard.status for shard in service.list_shards(child)} == {"canceled"}
    assert service.get_job(grandchild).error.message == (
        f"It waited for job {child} (evaluate), which was canceled because job {parent} (sample) "
        "was canceled."
    )


def test_canceling_a_child_leaves_its_parent(submit, service):
    parent = submit(sample()).id
    child = submit(evaluation(parent)).id

    service.cancel(child)

    assert service.get_job(parent).status == "queued"


def test_a_job_that_has_ended_is_not_touched_by_its_parent(submit, database, service):
    parents = [submit(sample()).id for _ in range(2)]
    child = submit(sample(after=parents)).id
    end(database, parents[0], ReportStatus.FAILED, DIVERGED)
    before = service.get_job(child)

    end(database, parents[1], ReportStatus.FAILED, DIVERGED)

    assert service.get_job(child) == before


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_parent_that_cannot_succeed_is_refused_with_field_and_status(
    submit, database, service, status
):
    parent = submit(sample()).id
    if status == "failed":
        end(database, parent, ReportStatus.FAILED, DIVERGED)
    else:
        service.cancel(parent)

    for request, field in [
        (sample(after=[parent]), "after.0"),
        (evaluation(parent), "params.job"),
        (report(parent), "params.jobs.0"),
    ]:
        with pytest.raises(ValidationError, match="must be a job that can still succeed") as bad:
            submit(request)
        assert bad.value.details["field"] == field
        assert (bad.value.details["value"], bad.value.details["status"]) == (parent, status)


def test_a_parent_that_does_not_exist_is_named(submit):
    with pytest.raises(JobNotFoundError, match="nowhere") as bad:
        submit(sample(after=["nowhere"]))
    assert bad.value.details["field"] == "after.0"
    with pytest.raises(JobNotFoundError) as bad:
        submit(report("nowhere"))
    assert bad.value.details["field"] == "params.jobs.0"


def test_a_parent_that_is_canceled_while_the_child_is_submitted_never_leaves_it_waiting(
    submit, service
):
    """The transaction that comes first decides: the child is refused, or canceled with it."""
    for _ in range(12):
        parent = submit(sample()).id
        barrier, made = threading.Barrier(2), []

        def submit_child(parent=parent, barrier=barrier, made=made):
            barrier.wait()
            try:
                made.append(submit(evaluation(parent)).id)
            except ValidationError:
                made.append(None)

        thread = threading.Thread(target=submit_child)
        thread.start()
        barrier.wait()
        service.cancel(parent)
        thread.join()

        (child,) = made
        assert child is None or service.get_job(child).status == "canceled"


def test_a_retry_waits_for_the_retries_of_what_did_not_succeed(submit, database, service):
    parent, good = submit(sample()).id, submit(sample()).id
    child = submit(report(parent, good)).id
    end(database, good)
    end(database, parent, ReportStatus.FAILED, DIVERGED)

    with pytest.raises(ValidationError, match=f"job {parent} .* failed: retry that one first"):
        service.retry(child, "ada")
    again = service.retry(parent, "ada").job.id
    service.cancel(again)
    newest = service.retry(again, "ada").job.id
    retried = service.retry(child, "ada", "key").job

    assert retried.params["jobs"] == [newest, good]
    assert set(retried.after) == {newest, good}
    assert retried.retry_of == child
    service.cancel(newest)
    service.retry(newest, "ada")
    assert service.retry(child, "ada", "key").job.id == retried.id  # a replay, whatever came


def test_a_report_names_each_job_once_and_no_report(submit):
    parent = submit(sample()).id
    first = submit(report(parent)).id

    for jobs, words in [([first], "no report itself"), ([parent, parent], "not named before")]:
        with pytest.raises(ValidationError, match=words) as bad:
            submit(report(*jobs))
        assert bad.value.details["field"] == f"params.jobs.{len(jobs) - 1}"
