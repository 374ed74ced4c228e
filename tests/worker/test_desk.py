import threading
import time

import pytest

from jobs.messages import ReportStatus, ShardOrder
from jobs.requests import SampleParams
from jobs.works import FileReference, SampleWork
from worker.consumer.desk import ReportDesk

ATTEMPT = ("job-0", 1)
LONG = 60.0


def order(attempt: int = 1) -> ShardOrder:
    work = SampleWork(
        params=SampleParams(seed=1, count=1),
        checkpoint=FileReference(path="checkpoints/none", sha256="0" * 64),
        first_image=0,
        image_count=1,
    )
    return ShardOrder(job_id="job", shard_id="job-0", attempt=attempt, work=work)


@pytest.fixture
def desk() -> ReportDesk:
    """A desk of which progress is said once a minute, so that only what is urgent leaves."""
    return ReportDesk("worker-1", report_seconds=LONG)


def send_due(desk, *, with_unacknowledged: bool = False):
    reports = desk.take_reports(with_unacknowledged=with_unacknowledged)
    desk.note_sent(reports)
    return reports


def test_a_new_attempt_is_reported_at_once_as_running(desk):
    assert desk.begin(order())

    (report,) = send_due(desk)

    assert (report.status, report.seq, report.worker) == ("running", 1, "worker-1")
    assert [(r.shard_id, r.attempt) for r in report.running] == [ATTEMPT]
    assert send_due(desk) == []


def test_what_nobody_acknowledged_is_repeated_with_each_heartbeat(desk):
    desk.begin(order())
    send_due(desk)

    assert send_due(desk) == []
    assert [r.seq for r in send_due(desk, with_unacknowledged=True)] == [1]
    assert [r.seq for r in send_due(desk, with_unacknowledged=True)] == [1]

    desk.acknowledge(ATTEMPT, 1)
    assert send_due(desk, with_unacknowledged=True) == []


def test_progress_waits_for_its_time_but_an_end_does_not(desk):
    desk.begin(order())
    send_due(desk)

    desk.update(ATTEMPT, done=5)
    assert send_due(desk) == []
    desk.update(ATTEMPT, done=9, status=ReportStatus.SUCCEEDED)
    (report,) = send_due(desk)

    assert (report.seq, report.done, report.status) == (3, 9, "succeeded")
    assert report.running == []


def test_progress_is_said_when_its_time_has_come():
    desk = ReportDesk("worker-1", report_seconds=0.2)
    desk.begin(order())
    before = time.monotonic()
    send_due(desk)
    desk.update(ATTEMPT, done=5)

    assert desk.wait_due(LONG) is False
    assert 0.1 <= time.monotonic() - before < LONG / 2
    assert [r.done for r in send_due(desk)] == [5]


def test_only_the_newest_state_is_said(desk):
    desk.begin(order())
    for done in range(1, 100):
        desk.update(ATTEMPT, done=done)

    (report,) = send_due(desk)

    assert (report.done, report.seq) == (99, 100)


def test_an_end_is_repeated_until_its_own_number_is_acknowledged(desk):
    desk.begin(order())
    desk.update(ATTEMPT, status=ReportStatus.FAILED)
    send_due(desk)

    desk.acknowledge(ATTEMPT, 1)
    assert [r.seq for r in send_due(desk, with_unacknowledged=True)] == [2]
    assert not desk.wait_silent(0)
    desk.acknowledge(ATTEMPT, 2)
    assert send_due(desk, with_unacknowledged=True) == []
    assert desk.wait_silent(0)


def test_an_older_acknowledgement_takes_nothing_back(desk):
    desk.begin(order())
    send_due(desk)
    desk.update(ATTEMPT, done=1, is_urgent=True)
    send_due(desk)
    desk.acknowledge(ATTEMPT, 2)
    desk.acknowledge(ATTEMPT, 1)

    assert send_due(desk, with_unacknowledged=True) == []


def test_the_same_message_twice_runs_once_and_repeats_the_report(desk):
    assert desk.begin(order())
    send_due(desk)
    desk.acknowledge(ATTEMPT, 1)

    assert not desk.begin(order())

    assert [r.seq for r in send_due(desk)] == [1]


def test_a_doubled_message_of_an_ended_attempt_runs_nothing(desk):
    desk.begin(order())
    desk.update(ATTEMPT, status=ReportStatus.SUCCEEDED)
    desk.acknowledge(ATTEMPT, 2)

    assert not desk.begin(order())
    assert desk.take_reports(with_unacknowledged=True) == []


def test_an_older_attempt_does_not_run_after_a_newer_one(desk):
    assert desk.begin(order(attempt=2))

    assert not desk.begin(order(attempt=1))
    assert [r.attempt for r in send_due(desk)] == [2]


def test_a_newer_attempt_runs_after_an_older_one(desk):
    desk.begin(order(attempt=1))
    desk.drop(ATTEMPT)

    assert desk.begin(order(attempt=2))


def test_a_dropped_attempt_is_never_mentioned_again(desk):
    desk.begin(order())
    desk.drop(ATTEMPT)

    desk.update(ATTEMPT, done=3, status=ReportStatus.SUCCEEDED)

    assert desk.take_reports(with_unacknowledged=True) == []
    assert desk.running == []
    assert desk.wait_due(0) is True  # the free slot is told at once
    assert not desk.begin(order())


def test_an_attempt_leaves_its_slot_whatever_happens(desk):
    desk.begin(order())

    with pytest.raises(RuntimeError), desk.until_left(ATTEMPT):
        raise RuntimeError("anything")

    assert desk.running == []


def test_whoever_waits_is_woken_by_a_new_report(desk):
    woken = threading.Event()

    def wait() -> None:
        desk.wait_due(LONG)
        woken.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    desk.begin(order())

    assert woken.wait(10)
    thread.join(10)


def test_facts_say_how_far_an_attempt_has_come(desk):
    desk.begin(order())
    desk.update(ATTEMPT, done=12, saved_step=3)

    assert desk.facts(ATTEMPT) == {"done": 12, "step": 3}
    assert desk.facts(("job-1", 1)) == {}
