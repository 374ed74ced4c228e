from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.roster import Roster
from dispatcher.sending import Sender, Sending
from jobs import transitions
from jobs.database import Database
from jobs.messages import Heartbeat, Report, ReportStatus
from jobs.requests import SampleJob, SampleParams
from jobs.service import open_service
from jobs.workers import WORKER_IS_ONLINE

pytestmark = pytest.mark.both_databases


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def utc(self):
        return datetime(2026, 11, 26, tzinfo=UTC) + timedelta(seconds=self.now)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def database(web_settings):
    database = Database(web_settings.database_url)
    yield database
    database.close()


@pytest.fixture
def shard_id(web_settings):
    service = open_service(web_settings)
    request = SampleJob(kind="sample", params=SampleParams(count=1, num_inference_steps=1))
    return f"{service.submit(request, 'local').job.id}-0"


def beat(worker="a"):
    return Heartbeat(worker=worker, queue=worker, host="", pid=1, version="", slots=1, running=[])


def test_a_handed_back_shard_is_sent_after_1_2_4_and_at_most_60_seconds(clock, database, shard_id):
    roster = Roster(1000, clock)
    sender = Sender(roster, 5, clock.utc)
    waits = []
    for attempt in range(1, 9):
        since = clock.now
        sending = Sending()
        while not sending.departures:
            roster.hear(beat())
            with database.write() as session:
                sender.fill_slots(session, sending)
            clock.now += 0 if sending.departures else 1
        waits.append(clock.now - since)
        returned = Report(
            worker="a",
            job_id=shard_id[:-2],
            shard_id=shard_id,
            attempt=attempt,
            seq=1,
            status=ReportStatus.RETURNED,
            running=[],
        )
        roster.hear(returned)
        with database.write() as session:
            assert transitions.record_report(session, returned, max_losses=3).counts
            sender.delay(session, shard_id, "a")
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60]


def test_a_silence_lasts_no_longer_than_what_was_read(clock):
    roster = Roster(20, clock)
    clock.now += 60  # stopped, or in a slow pass: nobody listened
    assert roster.silent_seconds("shard", 1, "a") == 0
    roster.note_listening(clock.now)
    assert roster.silent_seconds("shard", 1, "a") == 60


def test_a_worker_known_by_a_report_alone_gets_nothing(clock):
    roster = Roster(20, clock)
    roster.hear(
        Report(
            worker="a",
            job_id="j",
            shard_id="j-0",
            attempt=1,
            seq=1,
            status=ReportStatus.RUNNING,
            running=[],
        )
    )
    assert not roster.is_alive("a")
    assert roster.free_workers() == []


def test_a_slot_is_free_once_for_each_message(clock):
    roster = Roster(20, clock)
    roster.hear(beat())
    assert roster.free_workers() == ["a"]
    roster.note_sent("j-0", 1, "a")
    roster.hear(beat())
    assert roster.free_workers() == []


def test_a_silent_worker_is_gone_from_here_only_when_it_is_gone_from_every_list(clock):
    roster = Roster(20, clock)
    roster.hear(beat("a"))
    roster.hear_stranger("of another version")
    assert roster.slots_as_listed() == {"a": 1, "of another version": 0}

    clock.now += 20.5
    assert roster.slots_as_listed() == {"a": 0, "of another version": 0}
    clock.now += WORKER_IS_ONLINE.total_seconds() - 20
    assert roster.slots_as_listed() == {"a": 0, "of another version": 0}
    roster.hear_stranger("of another version")
    clock.now += 1
    assert roster.slots_as_listed() == {"of another version": 0}
