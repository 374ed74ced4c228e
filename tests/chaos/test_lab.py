"""What Celery over Redis was measured to do to long tasks, done to ours: each must be harmless.

Left to itself, Celery starts a task again that outlives the visibility timeout (1) or whose worker
loses its connection (3), loses one that is canceled while Redis is away (3c), one whose message is
on its way to a worker that is cut off (4), and one whose process is killed (6).
"""

import re
import time

import pytest

from jobs.broker import KEY_PREFIX, make_app, queue_key, queue_of
from jobs.streams import connect
from tests.chaos.proxy import Direction
from tests.system.slowness import slowed

pytestmark = pytest.mark.chaos

QUICK = {"heartbeat_seconds": 0.3, "save_seconds": 0.3, "report_seconds": 0.1}
VISIBILITY_SECONDS = 1


@pytest.fixture
def submit(system, checkpoint):
    """Submits a job of one shard of so many steps, and what assembles it."""
    return lambda steps: system.submit(
        checkpoint=checkpoint, count=4, num_inference_steps=steps, seed=1
    )


def runs(system, job):
    """Which attempts at the job's shards an engine began, as their logs tell, by shard."""
    found = re.findall(rf"shard {job.id}-(\d+), attempt (\d+)", system.logs())
    return sorted((int(index), int(attempt)) for index, attempt in found)


def deliveries(system):
    """How many messages Celery gave to workers."""
    return len(re.findall(r"run_shard\[[-0-9a-f]+\] received", system.logs()))


def assert_ended_undisturbed(system, job):
    """Each shard was begun once, and nothing was lost."""
    assert system.wait_ended(job.id).status == "succeeded"
    assert [(s.attempt, s.losses) for s in system.service.list_shards(job.id)] == [(1, 0), (1, 0)]
    assert runs(system, job) == [(0, 1), (1, 1)]


def test_1_a_shard_that_outlives_every_visibility_timeout_runs_once(system, submit):
    system.start_dispatcher()
    workers = [system.start_worker(**QUICK) for _ in range(2)]
    hasty = make_app(system.settings.redis_url)  # of all who share a broker, the hastiest restores
    options = {"visibility_timeout": VISIBILITY_SECONDS, "ack_emulation": True}  # as Celery has it
    hasty.conf.broker_transport_options.update(options)
    with hasty.connection_for_write() as connection, connection.channel() as channel:
        with slowed(*workers):
            job = submit(400)
            system.wait_done(job.id, 1)
            for _ in range(4):
                assert channel.client.hlen("unacked") == 0, "somebody could restore it"
                channel.qos.restore_visible(interval=1)
                time.sleep(VISIBILITY_SECONDS / 2)
            assert not system.job(job.id).status.has_ended, "it did not outlive the timeout"
        while not system.job(job.id).status.has_ended:
            channel.qos.restore_visible(interval=1)
            time.sleep(VISIBILITY_SECONDS / 2)
    hasty.close()

    assert_ended_undisturbed(system, job)
    assert deliveries(system) == 2


def test_3_dropped_connections_start_nothing_twice(system, submit, redis_server, eventually):
    system.start_dispatcher()
    workers = [system.start_worker(**QUICK) for _ in range(2)]

    with redis_server.client() as redis, slowed(*workers):
        job = submit(250)
        for done in (20, 60, 100):
            system.wait_done(job.id, done)
            eventually(lambda: len(redis.client_list(_type="normal")) > 5)  # all, and the asker
            assert redis.client_kill_filter(_type="normal", skipme=True) >= 5
        assert not system.job(job.id).status.has_ended, "nobody was cut off at work"

    assert_ended_undisturbed(system, job)
    assert deliveries(system) == 2


def test_3b_redis_killed_and_restarted_costs_nothing(system, submit, redis_server):
    system.start_dispatcher(lease_seconds=5)
    workers = [system.start_worker(**QUICK) for _ in range(2)]
    with slowed(*workers):
        job = submit(250)
        system.wait_done(job.id, 40)
        redis_server.kill()
    time.sleep(6)  # longer than a lease
    redis_server.start()

    assert_ended_undisturbed(system, job)


def test_3c_a_lost_connection_cancels_nothing(system, submit, redis_server):
    system.start_dispatcher()
    worker = system.start_worker(**QUICK)
    app = make_app(system.settings.redis_url)
    (settings,) = (app.control.inspect(timeout=10, limit=1).conf() or {}).values()
    app.close()
    assert settings["worker_cancel_long_running_tasks_on_connection_loss"] is False
    assert settings["task_acks_late"] is False
    assert settings.get("result_backend") is None
    with slowed(worker):
        job = submit(250)
        system.wait_done(job.id, 40)
        with redis_server.client() as redis:
            redis.client_kill_filter(_type="normal", skipme=True)
        redis_server.kill()
    time.sleep(2)
    redis_server.start()

    assert_ended_undisturbed(system, job)


@pytest.mark.parametrize("comes_back", [True, False])
def test_4_a_message_lost_on_its_way_is_sent_again(
    system, submit, proxy, shard_row, wait_for, comes_back
):
    system.start_dispatcher(resend_seconds=1)
    system.start_worker(redis_url=f"redis://127.0.0.1:{proxy.port}/0", **QUICK)
    (cut_off,) = system.service.list_workers()
    proxy.blackhole(Direction.TO_CLIENT)  # the answer to its BRPOP never arrives
    job = submit(10)
    wait_for(lambda: shard_row(f"{job.id}-0").sent_to, 10, "for the message to leave")
    with connect(system.settings.redis_url, 5) as redis:
        # Its BRPOP may have timed out a moment before: then nobody asks, and it is lost this way.
        redis.delete(queue_key(queue_of(cut_off.id)))
        assert redis.hlen(f"{KEY_PREFIX}unacked") == 0, "Redis still knows the message"

    if comes_back:
        proxy.cut()
        proxy.restore()
    else:
        system.start_worker(**QUICK)

    assert_ended_undisturbed(system, job)
    assert (system.service.list_shards(job.id)[0].worker == cut_off.id) is comes_back


def test_6_a_killed_engine_is_a_loss_and_its_shard_goes_on(
    system, submit, shard, shard_row, wait_for
):
    system.start_dispatcher()
    worker = system.start_worker(**QUICK)
    with slowed(worker):
        job = submit(250)
        wait_for(lambda: shard_row(f"{job.id}-0").saved_step, 60, "for a saved step")
        worker.engine().kill()

    assert system.wait_ended(job.id).status == "succeeded"
    first, assembling = system.service.list_shards(job.id)
    assert (first.attempt, first.losses, first.error.code) == (2, 1, "engine_died")
    assert first.error.details["signal"] == "SIGKILL"
    assert (assembling.attempt, assembling.losses) == (1, 0)
    assert runs(system, job) == [(0, 1), (0, 2), (1, 1)]
    assert re.search(rf"{job.id}-0 goes on from step [1-9]", system.logs())
