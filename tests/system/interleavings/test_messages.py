"""Messages that are lost, late, doubled or outdated; every word of the workers is the test's."""

import pytest

from jobs.messages import OrderType, ReportStatus
from jobs.requests import SampleJob, SampleParams

RUNNING = ReportStatus.RUNNING
SUCCEEDED = ReportStatus.SUCCEEDED


@pytest.fixture
def passes(start_passes):
    return start_passes()


@pytest.fixture
def job(system, checkpoint):
    return system.submit(checkpoint=checkpoint, count=4, num_inference_steps=10, seed=1)


def test_a_lost_message_is_sent_again_as_the_same_attempt(passes, job, scripted_worker):
    worker = scripted_worker("a")
    worker.beat()

    lost = passes.until(worker.take_message)
    repeated = passes.until(worker.take_message)

    assert repeated == lost
    assert repeated.attempt == 1


def test_a_lost_message_is_sent_again_to_another_worker(passes, job, scripted_worker, shard):
    first, second = scripted_worker("a"), scripted_worker("b")
    first.beat()
    lost = passes.until(first.take_message)

    second.beat()
    repeated = passes.until(second.take_message)

    assert repeated == lost
    second.report(repeated.shard_id, 1, RUNNING)
    passes.all_read()
    assert shard(job).worker == "b"
    assert shard(job).losses == 0


def test_a_late_report_of_the_only_worker_counts(passes, job, scripted_worker, shard):
    worker = scripted_worker("a")
    worker.beat()
    message = passes.until(worker.take_message)
    passes.until(worker.take_message, what="for the repeated message")

    worker.report(message.shard_id, 1, RUNNING)
    worker.report(message.shard_id, 1, SUCCEEDED)
    passes.all_read()

    assert shard(job).status == "succeeded"
    assert (shard(job).attempt, shard(job).losses) == (1, 0)


@pytest.mark.parametrize(("first_heard", "second_heard"), [("a", "b"), ("b", "a")])
def test_of_two_workers_with_one_attempt_the_first_heard_holds_it(
    passes, job, scripted_worker, shard, first_heard, second_heard
):
    workers = {name: scripted_worker(name) for name in "ab"}
    workers["a"].beat()
    message = passes.until(workers["a"].take_message)
    workers["b"].beat()
    passes.until(workers["b"].take_message)

    workers[first_heard].report(message.shard_id, 1, RUNNING, done=4)
    workers[second_heard].report(message.shard_id, 1, RUNNING, done=8)
    passes.all_read()

    assert shard(job).worker == first_heard
    assert shard(job).progress.done == 4
    stop = workers[second_heard].wait_order(OrderType.STOP)
    assert (stop.shard_id, stop.attempt) == (message.shard_id, 1)
    assert OrderType.STOP not in [order.type for order in workers[first_heard].orders()]

    workers[second_heard].report(message.shard_id, 1, SUCCEEDED)
    passes.all_read()
    assert shard(job).status == "running"


def test_a_late_older_attempt_changes_nothing_and_is_stopped(
    passes, job, scripted_worker, shard, shard_row
):
    old, new = scripted_worker("old"), scripted_worker("new")
    old.beat()
    message = passes.until(old.take_message)
    old.report(message.shard_id, 1, RUNNING)
    old.report(message.shard_id, 1, ReportStatus.RETURNED)
    old.beat(slots=0)
    new.beat()
    assert passes.until(new.take_message).attempt == 2
    new.report(message.shard_id, 2, RUNNING, done=12)
    passes.all_read()
    before = shard_row(message.shard_id).__dict__

    for status in (RUNNING, SUCCEEDED, ReportStatus.FAILED, ReportStatus.LOST):
        old.orders()
        late = old.report(message.shard_id, 1, status, done=40)
        passes.all_read()
        orders = old.orders()
        assert [(o.type, o.attempt) for o in orders] == [
            (OrderType.ACKNOWLEDGE, 1),
            (OrderType.STOP, 1),
        ]
        assert orders[0].seq == late.seq

    after = shard_row(message.shard_id).__dict__
    assert {k: v for k, v in after.items() if k[0] != "_"} == {
        k: v for k, v in before.items() if k[0] != "_"
    }


def test_an_end_that_nobody_acknowledged_is_recorded_once_and_acknowledged_always(
    passes, job, scripted_worker, shard_row
):
    worker = scripted_worker("a")
    worker.beat()
    message = passes.until(worker.take_message)
    worker.report(message.shard_id, 1, SUCCEEDED, seq=7)
    passes.all_read()
    ended = shard_row(message.shard_id).finished_at
    worker.orders()

    worker.report(message.shard_id, 1, SUCCEEDED, seq=7)
    passes.all_read()

    assert worker.wait_order(OrderType.ACKNOWLEDGE).seq == 7
    assert shard_row(message.shard_id).finished_at == ended


def test_a_higher_priority_goes_first(system, passes, checkpoint, scripted_worker):
    def submit(priority):
        params = SampleParams(checkpoint=checkpoint, count=1, num_inference_steps=1)
        request = SampleJob(kind="sample", priority=priority, params=params)
        return system.service.submit(request, "local").job

    jobs = {priority: submit(priority) for priority in (0, -5, 7)}
    worker = scripted_worker("a")
    order = []
    for _ in range(3):
        worker.beat()
        message = passes.until(worker.take_message)
        order.append(message.job_id)
        worker.report(message.shard_id, 1, ReportStatus.FAILED)
    assert order == [jobs[7].id, jobs[0].id, jobs[-5].id]


def test_no_worker_gets_more_messages_than_it_has_slots(
    system, passes, checkpoint, scripted_worker
):
    system.submit(checkpoint=checkpoint, count=100, num_inference_steps=1)
    worker = scripted_worker("a")
    worker.beat()
    message = passes.until(worker.take_message)
    worker.report(message.shard_id, 1, RUNNING)
    worker.beat((message.shard_id, 1))

    passes.spend(1.2)  # longer than it takes to send again

    assert worker.take_message() is None
