"""The order of the queue as the dispatcher sends it, on a real SQLite file."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from dispatcher.metering import FLUSH_SECONDS, Meter
from dispatcher.roster import Roster
from dispatcher.sending import Sender, Sending
from jobs.database import Database
from jobs.messages import Heartbeat
from jobs.queue_order import PATIENCE, Runnable, front_of_queue, jobs_before
from jobs.requests import JobChange, SampleJob, SampleParams
from jobs.service import open_service
from jobs.tables import Checkpoint, Job, Usage
from jobs.usage import HALF_LIFE, add_usage
from jobs.workers import HeldShard

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Bench:
    """A queue, and a dispatcher's hand that fills slots."""

    def __init__(self, settings):
        self.service = open_service(settings)
        self.database = Database(settings.database_url)
        self.roster = Roster(1000)
        self.sender = Sender(self.roster, 1000, lambda: NOW)
        self._made = 0

    def submit(self, submitter="ada", count=25, priority=0, **params):
        request = SampleJob(
            kind="sample",
            params=SampleParams(count=count, num_inference_steps=1, **params),
            priority=priority,
        )
        job = self.service.submit(request, submitter).job.id
        self._made += 1
        with self.database.write() as session:  # their age, whatever the clock
            made = NOW - timedelta(minutes=1) + timedelta(seconds=self._made)
            session.execute(update(Job).where(Job.id == job).values(created_at=made))
        return job

    def use(self, now=NOW, **seconds):
        with self.database.write() as session:
            add_usage(session, seconds, now)

    def beat(self, worker="w", slots=1, **capabilities):
        self.roster.hear(
            Heartbeat(
                worker=worker,
                queue=worker,
                host="",
                pid=1,
                version="",
                slots=slots,
                running=[],
                capabilities=capabilities,
            )
        )

    def fill(self):
        """The jobs of the shards that leave, in their order, and the jobs that broke."""
        sending = Sending()
        with self.database.write() as session:
            self.sender.fill_slots(session, sending)
        return [order.job_id for _, order in sending.departures], sending.broken

    def front(self, limit=100, now=NOW):
        with self.database.read() as session:
            return front_of_queue(session, now, limit, Runnable())


@pytest.fixture
def bench(web_settings):
    bench = Bench(web_settings)
    yield bench
    bench.database.close()


def test_a_higher_priority_goes_first_also_when_it_is_given_late(bench):
    first, second, third = bench.submit(), bench.submit(), bench.submit(priority=5)
    bench.service.change_job(second, JobChange(priority=9))
    bench.beat(slots=3)
    assert bench.fill()[0] == [second, third, first]


def test_who_has_used_least_goes_first_and_each_in_the_order_of_their_own_jobs(bench):
    ada = [bench.submit("ada"), bench.submit("ada")]
    bob = [bench.submit("bob"), bench.submit("bob")]
    bench.use(ada=100.0, bob=75.0)
    bench.beat(slots=4)
    # bob has 75 and 85 seconds with the shard before, ada 100 and 110
    assert bench.fill()[0] == [*bob, *ada]


def test_slots_that_are_free_at_once_go_round(bench):
    ada, bob = bench.submit("ada", count=100), bench.submit("bob", count=50)
    bench.beat(slots=4)
    assert bench.fill()[0] == [ada, bob, ada, bob]


def test_what_runs_counts_before_it_is_used_up(bench):
    ada = bench.submit("ada", count=100)
    bench.beat(slots=2)
    assert bench.fill()[0] == [ada, ada]
    bob = bench.submit("bob", count=100)
    bench.beat(slots=3, worker="x")
    assert bench.fill()[0] == [bob, bob, ada]  # 0 and 10 go before 20, and then ada is older


def test_usage_fades(bench):
    ada, bob = bench.submit("ada"), bench.submit("bob")
    bench.use(now=NOW - 2 * HALF_LIFE, ada=400.0)
    bench.use(bob=101.0)
    bench.beat(slots=2)
    assert bench.fill()[0] == [ada, bob]


def test_nobody_starves_behind_higher_priorities(bench):
    low = bench.submit("low", priority=-100)
    many = bench.submit("high", count=200, priority=100)
    assert jobs_before(bench.front()) == {many: 0, low: 1}

    later = NOW + PATIENCE
    with bench.database.write() as session:
        session.add(Usage(submitter="high", device_seconds=0, updated_at=NOW, served_at=later))
    assert jobs_before(bench.front(now=later)) == {low: 0, many: 1}


def test_only_the_front_of_the_queue_is_read(bench):
    jobs = [bench.submit("ada", count=25 * 40) for _ in range(3)]
    front = bench.front(limit=100)
    assert [shard.job_id for shard in front] == [*[jobs[0]] * 40, *[jobs[1]] * 40, *[jobs[2]] * 20]
    assert [shard.index for shard in front[:40]] == list(range(40))


def test_nothing_is_sent_of_what_is_paused_and_it_goes_on_after(bench):
    sample = bench.submit()
    bench.beat()
    for scope in ("all", "sample"):
        bench.service.pause_queue(scope, "maintenance", "ada")
        assert bench.fill()[0] == []
        bench.service.resume_queue(scope)
    bench.service.pause_queue("merge", "maintenance", "ada")
    assert bench.fill()[0] == [sample]


def test_a_worker_gets_only_shards_of_its_kinds(bench):
    sample = bench.submit()
    bench.beat("trainer", kinds=["train_ddpm"])
    assert bench.fill()[0] == []
    bench.beat("sampler", kinds=["sample"])
    assert bench.fill()[0] == [sample]
    assert bench.roster.sent[f"{sample}-0"].worker == "sampler"


def test_a_drained_worker_gets_nothing_before_its_heartbeat_says_so(bench):
    sample = bench.submit()
    bench.beat()
    bench.roster.drained = frozenset("w")
    assert bench.fill()[0] == []
    bench.roster.drained = frozenset()
    assert bench.fill()[0] == [sample]


def test_a_shard_whose_checkpoint_is_gone_fails_and_the_others_go(bench, native_file):
    checkpoint = bench.service.import_checkpoint(native_file, "lost").id
    broken = bench.submit("ada", checkpoint=checkpoint)
    whole = bench.submit("bob")
    with bench.database.write() as session:
        session.delete(session.get_one(Checkpoint, checkpoint))
    bench.beat()

    sent, failed = bench.fill()

    assert (sent, failed) == ([whole], [broken])
    shard = bench.service.list_shards(broken)[0]
    assert (shard.status, shard.attempt, shard.error.code) == ("failed", 0, "input_gone")
    assert shard.error.message == (
        f"what the shard needs is gone: checkpoint {checkpoint!r} is gone"
    )


def test_device_time_is_charged_to_whom_it_runs_for(bench):
    clock = iter([0.0, 0.0, 10.0, 10.0, 10.0 + FLUSH_SECONDS])
    times = []

    def tick():
        times.append(next(clock, 11.0))
        return times[-1]

    meter = Meter(tick)
    held = [HeldShard(f"{n}", "j", 1, "w", name) for n, name in enumerate(["ada", "ada", "bob"])]
    meter.tick(held)
    meter.tick(held)
    with bench.database.write() as session:
        meter.flush(session, datetime.now(UTC))  # by which it fades until it is read
    usage = {each.submitter: each.device_seconds for each in bench.service.queue().usage}
    assert usage == pytest.approx({"ada": 20.0, "bob": 10.0}, rel=0.01)
