"""Programs that write the same at once, on real databases: nobody fails, and it is there once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

import numpy as np
import pytest
from sqlalchemy import func, select

from dispatcher.roster import Roster
from dispatcher.sending import Sender, Sending
from formats.pictures import encode_png
from jobs.library import BUNDLED_CHECKPOINTS
from jobs.messages import Heartbeat
from jobs.requests import SampleJob, SampleParams
from jobs.service import open_service
from jobs.tables import Checkpoint, Job, Shard

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("patient_writers")]

CLIENTS = 8


@pytest.fixture
def services(web_settings):
    """What as many web programs have: connections of their own."""
    return [open_service(web_settings) for _ in range(CLIENTS)]


def at_once(*calls):
    """What each gives, all begun at the same moment; an exception of one is raised."""
    start = threading.Barrier(len(calls))

    def call(each):
        start.wait(20)
        return each()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def count(database, table):
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table))


def request(**params):
    return SampleJob(kind="sample", params=SampleParams(num_inference_steps=1, **params))


def test_one_key_of_many_clients_makes_one_job(services, database):
    for key in ("a", "b", "c"):
        done = at_once(*[partial(s.submit, request(), "ada", key) for s in services])

        assert len({each.job.id for each in done}) == 1
        assert sorted(each.is_replay for each in done) == [False] + [True] * (CLIENTS - 1)
    assert count(database, Job) == 3


def test_one_picture_of_many_clients_is_kept_once(services):
    for level in range(3):
        picture = encode_png(np.full((48, 48), level, np.uint8))
        kept = at_once(*[partial(s.import_upload, picture, "face") for s in services])

        assert len({each.id for each in kept}) == 1
    assert len(services[0].list_uploads()) == 3


def test_web_programs_that_start_at_once_all_start(web_settings, database):
    started = at_once(*[partial(open_service, web_settings)] * 4)

    listed = [[each.id for each in service.list_checkpoints()] for service in started]
    assert len(listed[0]) == count(database, Checkpoint) == len(BUNDLED_CHECKPOINTS)
    assert listed == [listed[0]] * 4


def test_dispatchers_that_overlap_send_each_shard_once(services, database):
    job = services[0].submit(request(count=500), "ada").job

    def dispatcher():
        roster = Roster(1000)
        sender = Sender(roster, 1000)
        for number in range(20):
            name = f"worker-{number}"
            roster.hear(
                Heartbeat(worker=name, queue=name, host="", pid=1, version="", slots=1, running=[])
            )

        def send():
            with database.write() as session:
                sending = Sending()
                sender.fill_slots(session, sending)
                return [order.shard_id for _, order in sending.departures]

        return send

    sent = list(chain(*at_once(*[dispatcher() for _ in range(4)])))

    assert len(sent) == len(set(sent)) == 20
    with database.read() as session:
        shards = session.scalars(select(Shard).where(Shard.job_id == job.id)).all()
        attempts = [shard.attempt for shard in shards if shard.kind != "assemble"]
    assert attempts == [1] * 20
