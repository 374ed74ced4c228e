"""What many workers say in one pass is written together, and each word counts as it would alone."""

import pytest

from dispatcher.outcome import Outcome
from dispatcher.recording import Recorder
from dispatcher.roster import Roster
from dispatcher.sending import Sender, Sending
from jobs import store, transitions
from jobs.contract import JobStatus
from jobs.database import Database
from jobs.messages import Heartbeat, Order, OrderType, Report, ReportStatus
from jobs.requests import SampleJob, SampleParams
from jobs.service import open_service

pytestmark = pytest.mark.both_databases

WORKERS = ("a", "b", "c", "d")


class Floor:
    """Four workers, each of which was sent a shard of one job."""

    def __init__(self, database, service):
        self.database = database
        self.recorder = Recorder(roster := Roster(1000), 3)
        job = SampleJob(kind="sample", params=SampleParams(count=100, num_inference_steps=4))
        self.job_id = service.submit(job, "somebody").job.id
        for name in WORKERS:
            roster.hear(
                Heartbeat(worker=name, queue=name, host="", pid=1, version="", slots=1, running=[])
            )
        sending = Sending()
        with database.write() as session:
            Sender(roster, 1000).fill_slots(session, sending)
        self.shards = {queue: order.shard_id for queue, order in sending.departures}

    def said(self, worker, seq=1, status=ReportStatus.RUNNING, shard_of=None, **values):
        return Report(
            worker=worker,
            job_id=self.job_id,
            shard_id=self.shards[shard_of or worker],
            attempt=1,
            seq=seq,
            status=status,
            running=[],
            **values,
        )

    def record(self, *reports):
        outcome = Outcome()
        with self.database.write() as session:
            self.recorder.record(session, reports, outcome)
            self.recorder.finish(session, outcome)
        return outcome

    def shard(self, worker):
        with self.database.read() as session:
            return store.find_shard(session, self.shards[worker])


@pytest.fixture
def floor(web_settings):
    database = Database(web_settings.database_url)
    yield Floor(database, open_service(web_settings))
    database.close()


def test_first_words_make_holders(floor):
    outcome = floor.record(*(floor.said(worker, done=7) for worker in WORKERS))

    for worker in WORKERS:
        shard = floor.shard(worker)
        assert (shard.holder, shard.sent_to, shard.status) == (worker, None, JobStatus.RUNNING)
        assert (shard.seq, shard.done) == (1, 7)
        assert shard.started_at is not None
    assert outcome.touched == {floor.job_id: True}
    assert {order.type for _, order in outcome.orders} == {OrderType.ACKNOWLEDGE}


def test_of_what_holders_say_together_only_what_is_new_is_written(floor):
    floor.record(*(floor.said(worker, seq=5, done=5) for worker in WORKERS))

    curves = {"loss": [[1.0, 0.5]]}
    outcome = floor.record(
        floor.said("a", seq=6, done=6),
        floor.said("b", seq=6, done=6, curves=curves),
        floor.said("c", seq=6, status=ReportStatus.SUCCEEDED),
        floor.said("d", seq=4, done=4),
    )

    assert [floor.shard(worker).seq for worker in WORKERS] == [6, 6, 6, 5]
    assert [floor.shard(worker).done for worker in "abd"] == [6, 6, 5]
    assert [floor.shard(worker).curves for worker in "ab"] == [None, curves]
    ended = floor.shard("c")
    assert (ended.status, ended.done) == (JobStatus.SUCCEEDED, ended.total)
    assert [made.shard_id for made in outcome.made] == [ended.id]
    assert len(outcome.orders) == len(WORKERS)  # each is acknowledged, and nobody stopped


def test_of_two_first_words_of_one_attempt_the_earlier_counts(floor):
    with floor.database.write() as session:
        assert transitions.send_again(session, floor.shards["a"], 1, "b")

    outcome = floor.record(floor.said("a"), floor.said("b", shard_of="a", done=9))

    shard = floor.shard("a")
    assert (shard.holder, shard.done) == ("a", 0)
    stop = Order(type=OrderType.STOP, shard_id=shard.id, attempt=1)
    assert ("b", stop) in outcome.orders
    assert ("a", stop) not in outcome.orders
