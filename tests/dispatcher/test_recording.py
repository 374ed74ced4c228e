"""What of a batch of messages is written."""

from dispatcher.recording import newest
from jobs.messages import Heartbeat, Hint, Report, ReportStatus


def report(worker="a", attempt=1, seq=1, status=ReportStatus.RUNNING):
    return Report(
        worker=worker,
        job_id="j",
        shard_id="j-0",
        attempt=attempt,
        seq=seq,
        status=status,
        running=[],
    )


def beat(worker="a", pid=1):
    return Heartbeat(worker=worker, queue=worker, host="", pid=pid, version="", slots=1, running=[])


def test_the_newest_report_of_an_attempt_stands_in_the_place_of_the_first():
    other = report("b")
    end = report(seq=3, status=ReportStatus.SUCCEEDED)
    assert newest([report(), other, end, report(seq=2)]) == [end, other]


def test_attempts_and_workers_do_not_replace_each_other():
    messages = [report(), report(attempt=2), report("b"), beat(), beat("b")]
    assert newest(messages) == messages


def test_a_worker_is_as_its_last_heartbeat_says():
    assert newest([beat(pid=1), Hint(job_id="j"), report(), beat(pid=2)]) == [beat(pid=2), report()]
