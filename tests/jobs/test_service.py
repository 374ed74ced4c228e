import numpy as np
import pytest
from sqlalchemy import func, select

from formats.architectures import unet_shapes
from formats.checkpoint import write_checkpoint
from formats.description import CheckpointDescription
from jobs import datasets
from jobs.database import Database
from jobs.errors import (
    CheckpointNotFoundError,
    CheckpointRejectedError,
    IdempotencyConflictError,
    JobEndedError,
    JobNotFoundError,
    ValidationError,
)
from jobs.requests import ReportJob, ReportParams, SampleJob, SampleParams
from jobs.tables import Job, Shard
from synthetic import synthetic_faces

pytestmark = pytest.mark.both_databases


def request(**params) -> SampleJob:
    return SampleJob(kind="sample", params=SampleParams(**params))


def rows(web_settings, table) -> int:
    database = Database(web_settings.database_url)
    with database.read() as session:
        count = session.scalar(select(func.count()).select_from(table))
    database.close()
    return count


def test_a_job_is_kept_whole_with_its_shards(service):
    job = service.submit(request(count=60, num_inference_steps=10), "ada").job

    assert service.get_job(job.id).model_copy(update={"estimate": None}) == job
    assert (job.submitter, job.status, job.progress.total) == ("ada", "queued", 600)
    shards = service.list_shards(job.id)
    assert [(s.kind, s.first_image, s.image_count, s.progress.total) for s in shards] == [
        ("sample", 0, 25, 250),
        ("sample", 25, 25, 250),
        ("sample", 50, 10, 100),
        ("assemble", 0, 60, 0),
    ]


def test_a_job_without_a_seed_gets_one_that_stays(service):
    jobs = [service.submit(request(), "ada").job for _ in range(2)]

    seeds = [job.params["seed"] for job in jobs]
    assert seeds[0] != seeds[1]
    assert all(0 <= seed < 2**53 for seed in seeds)
    assert service.get_job(jobs[0].id).params["seed"] == seeds[0]


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_a_seed_of_the_whole_range_is_kept_exactly(service, seed):
    job = service.submit(request(seed=seed), "ada").job

    assert service.get_job(job.id).params["seed"] == seed


def test_a_job_is_taken_while_redis_is_down(service, redis_server):
    redis_server.kill()

    job = service.submit(request(), "ada").job

    assert service.get_job(job.id).status == "queued"
    assert not service.broker_is_reachable()


def test_the_same_key_gives_the_same_job_to_the_same_submitter(service, web_settings):
    first = service.submit(request(seed=1), "ada", "key")
    second = service.submit(request(seed=1), "ada", "key")
    others = service.submit(request(seed=1), "bob", "key")

    assert (first.is_replay, second.is_replay, others.is_replay) == (False, True, False)
    assert first.job.id == second.job.id != others.job.id
    assert rows(web_settings, Job) == 2


def test_a_key_without_a_seed_gives_the_job_with_its_drawn_seed(service):
    first = service.submit(request(), "ada", "key").job
    second = service.submit(request(), "ada", "key").job

    assert second.params == first.params


def test_a_key_is_not_used_for_another_request(service, web_settings):
    first = service.submit(request(seed=1), "ada", "key").job

    with pytest.raises(IdempotencyConflictError) as conflict:
        service.submit(request(seed=2), "ada", "key")

    assert conflict.value.details["job_id"] == first.id
    assert rows(web_settings, Job) == 1


def test_pages_hold_every_job_once_newest_first_also_while_new_ones_come(service):
    ids = [service.submit(request(), "ada").job.id for _ in range(7)]

    seen, cursor = [], None
    for page in range(4):
        found = service.list_jobs(limit=2, cursor=cursor)
        seen += [job.id for job in found.items]
        cursor = found.next_cursor
        if page == 1:
            service.submit(request(), "late")

    assert seen == ids[::-1]
    assert cursor is None


def test_a_list_can_ask_for_a_status(service):
    job, other = (service.submit(request(), "ada").job for _ in range(2))
    service.cancel(job.id)

    assert [j.id for j in service.list_jobs(status="canceled").items] == [job.id]
    assert [j.id for j in service.list_jobs(status="queued").items] == [other.id]


@pytest.mark.parametrize("cursor", ["", "x", "bm90IGpzb24", "W10", "WzEsMl0", "eyJhIjoxfQ", "é"])
def test_a_cursor_that_nobody_gave_is_refused(service, cursor):
    with pytest.raises(ValidationError, match="cursor"):
        service.list_jobs(cursor=cursor)


def test_a_canceled_job_ends_with_its_shards_and_only_once(service):
    job = service.submit(request(), "ada").job

    canceled = service.cancel(job.id)

    assert (canceled.status, canceled.status_seq) == ("canceled", job.status_seq + 1)
    assert canceled.finished_at is not None
    assert {shard.status for shard in service.list_shards(job.id)} == {"canceled"}
    with pytest.raises(JobEndedError, match="canceled"):
        service.cancel(job.id)


def test_what_is_not_there_is_said_by_its_id(service):
    for ask in (service.get_job, service.cancel, service.list_shards, service.list_artifacts):
        with pytest.raises(JobNotFoundError, match="nowhere"):
            ask("nowhere")
    with pytest.raises(CheckpointNotFoundError, match="nowhere"):
        service.get_checkpoint("nowhere")


def test_a_checkpoint_that_does_not_exist_keeps_nothing(service, web_settings):
    with pytest.raises(CheckpointNotFoundError, match="nowhere"):
        service.submit(request(checkpoint="nowhere"), "ada")

    assert rows(web_settings, Job) == rows(web_settings, Shard) == 0


def test_more_steps_than_the_checkpoint_has_timesteps_are_refused(service, web_settings, tmp_path):
    path = tmp_path / "short.safetensors"
    arrays = {name: np.zeros(shape, np.float32) for name, shape in unet_shapes(2).items()}
    write_checkpoint(path, arrays, CheckpointDescription("unet", 2, timesteps=50))
    checkpoint = service.import_checkpoint(path, "short").id

    service.submit(request(checkpoint=checkpoint, num_inference_steps=50), "ada")
    with pytest.raises(ValidationError, match="within 1 and 50") as refused:
        service.submit(request(checkpoint=checkpoint, num_inference_steps=51), "ada")

    assert refused.value.details["field"] == "params.num_inference_steps"
    assert rows(web_settings, Job) == 1


def test_a_checkpoint_is_kept_once_under_its_hash(service, native_file):
    first = service.import_checkpoint(native_file, "one")
    second = service.import_checkpoint(native_file, "two")

    assert first == second == service.get_checkpoint(first.id)
    assert first.id == first.sha256[:16]
    assert [c.id for c in service.list_checkpoints() if not c.id.startswith("bundled")] == [
        first.id
    ]


def test_a_file_that_is_no_checkpoint_is_refused_with_its_reason(service, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))

    with pytest.raises(CheckpointRejectedError) as refused:
        service.import_checkpoint(path, "picture")

    assert refused.value.details["reason"] == "not_a_checkpoint"


def test_jobs_are_taken_while_the_figures_of_a_dataset_are_made(service, tmp_path, monkeypatch):
    np.save(tmp_path / "faces.npy", synthetic_faces(4, seed=1)[0])
    figures = datasets._figures

    def submit_meanwhile(*arrays):
        service.submit(request(count=1), "ada")
        return figures(*arrays)

    monkeypatch.setattr(datasets, "_figures", submit_meanwhile)

    assert service.import_dataset(tmp_path / "faces.npy", None, "Four").count == 4
    assert len(service.list_jobs().items) == 1


def test_a_waiting_job_says_why(service):
    job = service.submit(request(), "ada").job

    assert job.waiting_reason == "No worker is online."
    assert service.cancel(job.id).waiting_reason is None


def test_what_waits_for_more_jobs_than_one_may_list_can_be_retried(service):
    def submit(asked) -> str:
        return service.submit(asked, "ada").job.id

    shown = [submit(request(count=1)) for _ in range(50)]
    beside = submit(request(count=1))
    params = ReportParams(jobs=shown)
    waiting = submit(ReportJob(kind="report", params=params, after=[beside]))
    service.cancel(waiting)

    retried = service.retry(waiting, "ada").job

    assert retried.params["jobs"] == shown
    assert set(retried.after) == {*shown, beside}
