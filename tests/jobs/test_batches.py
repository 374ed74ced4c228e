"""Jobs that are submitted together."""

import pydantic
import pytest
from sqlalchemy import func, select

from jobs.assignment import assignment_batch
from jobs.database import Database
from jobs.errors import (
    CheckpointNotFoundError,
    IdempotencyConflictError,
    JobError,
    ValidationError,
)
from jobs.requests import AssignmentRequest, BatchRequest, SampleJob, SampleParams
from jobs.tables import Job

pytestmark = pytest.mark.both_databases

SAMPLE = {"kind": "sample", "params": {"count": 100, "num_inference_steps": 1}}


def item(label, kind="sample", after=(), **params):
    params = SAMPLE["params"] | params if kind == "sample" else params
    return {"label": label, "job": {"kind": kind, "params": params, "after": list(after)}}


def batch(*items) -> BatchRequest:
    return BatchRequest.model_validate({"jobs": list(items)})


CHAIN = batch(
    item("faces"),
    item("figures", "evaluate", job="faces"),
    item("report", "report", ["faces"], jobs=["faces", "figures"], title="faces"),
)


@pytest.fixture
def count_jobs(web_settings):
    database = Database(web_settings.database_url)

    def count():
        with database.read() as session:
            return session.scalar(select(func.count()).select_from(Job))

    yield count
    database.close()


def test_labels_become_ids_wherever_a_job_is_named(service):
    faces, figures, report = service.submit_batch(CHAIN, "ada").jobs

    assert figures.params["job"] == faces.id
    assert report.params["jobs"] == [faces.id, figures.id]
    assert report.params["title"] == "faces"  # a text is no name of a job
    assert (faces.after, figures.after) == ([], [faces.id])
    assert report.after == [faces.id, figures.id]
    assert faces.batch == figures.batch == report.batch is not None
    listed = [job.id for job in service.list_jobs().items]
    assert listed == [report.id, figures.id, faces.id]


def test_a_job_of_a_batch_can_wait_for_one_that_was_there_before(service):
    old = service.submit(SampleJob(kind="sample", params=SampleParams(count=100)), "ada").job

    (new,) = service.submit_batch(batch(item("figures", "evaluate", job=old.id)), "ada").jobs

    assert new.after == [old.id]
    assert old.batch is None


@pytest.mark.parametrize(
    ("items", "field", "words"),
    [
        ([item("a", after=["b"]), item("b")], "jobs.0.job.after.0", "does not come before it"),
        ([item("a", after=["a"])], "jobs.0.job.after.0", "does not come before it"),
        (
            [item("a"), item("b", "report", jobs=["a", "c"])],
            "jobs.1.job.params.jobs.1",
            "the label of a job before it",
        ),
        (
            [item("a", checkpoint={"job": "z"})],
            "jobs.0.job.params.checkpoint.job",
            "the label of a job before it",
        ),
        (
            [item("a", count=5), item("b", "evaluate", job="a")],
            "jobs.1.job.params.job",
            "at least 100 images",
        ),
    ],
)
def test_a_batch_with_one_bad_job_leaves_nothing_and_says_which(
    service, count_jobs, items, field, words
):
    with pytest.raises(ValidationError, match=words) as bad:
        service.submit_batch(batch(*items), "ada", "key")

    assert bad.value.details["field"] == field
    assert bad.value.message.startswith(field)
    assert count_jobs() == 0


def test_a_checkpoint_that_is_not_there_leaves_nothing(service, count_jobs):
    with pytest.raises(CheckpointNotFoundError) as bad:
        service.submit_batch(batch(item("a"), item("b", checkpoint="nowhere")), "ada")

    assert bad.value.details["field"] == "jobs.1.job.params.checkpoint"
    assert count_jobs() == 0


def test_the_same_key_gives_the_same_jobs_in_the_same_order(service, count_jobs):
    first = service.submit_batch(CHAIN, "ada", "key")
    second = service.submit_batch(CHAIN, "ada", "key")

    assert (first.is_replay, second.is_replay) == (False, True)
    assert [job.id for job in second.jobs] == [job.id for job in first.jobs]
    assert count_jobs() == 3


def test_a_key_of_a_batch_is_of_no_other_request(service):
    service.submit_batch(CHAIN, "ada", "key")
    job = SampleJob.model_validate(SAMPLE)

    with pytest.raises(IdempotencyConflictError):
        service.submit_batch(batch(item("faces")), "ada", "key")
    with pytest.raises(IdempotencyConflictError):
        service.submit(job, "ada", "key")
    service.submit(job, "ada", "other")
    with pytest.raises(IdempotencyConflictError):
        service.submit_batch(CHAIN, "ada", "other")


def test_canceling_the_first_cancels_the_whole_chain(service):
    jobs = service.submit_batch(CHAIN, "ada").jobs

    service.cancel(jobs[0].id)

    assert [service.get_job(job.id).status for job in jobs] == ["canceled"] * 3


def test_the_assignment_is_a_batch_in_which_each_job_waits_for_what_it_needs():
    jobs = {each.label: each.job for each in assignment_batch(AssignmentRequest(seed=7)).jobs}

    assert list(jobs) == [
        *("sample", "merge", "train_regressor", "guided_sample"),
        *("evaluate_sample", "evaluate_merge", "evaluate_guided", "report"),
    ]
    assert (jobs["sample"].params.count, jobs["sample"].params.preset) == (100, "assignment")
    assert (jobs["merge"].params.pairs, len(jobs["merge"].params.timesteps)) == (5, 4)
    assert jobs["guided_sample"].params.regressor.job == "train_regressor"
    assert jobs["guided_sample"].params.count == 40
    assert jobs["evaluate_guided"].params.job == "guided_sample"
    assert jobs["report"].params.jobs == [*jobs][:-1]
    assert jobs["report"].params.title == "The assignment"
    assert {job.params.seed for job in jobs.values() if job.kind != "report"} == {7}


def test_in_few_steps_the_assignment_is_sampled_and_guided_by_what_is_made_for_them():
    request = AssignmentRequest(sampler="dpmpp_2m", dataset="d")
    jobs = {each.label: each.job.params for each in assignment_batch(request).jobs}

    for label in ("sample", "merge", "guided_sample"):
        assert (jobs[label].sampler, jobs[label].num_inference_steps) == ("dpmpp_2m", 20)
    for label in ("sample", "guided_sample"):
        assert (jobs[label].prior, jobs[label].prior_dataset) == ("data", "d")
    assert (jobs["guided_sample"].guidance, jobs["guided_sample"].guidance_form) == (
        "calibrated",
        "eps",
    )
    assert jobs["guided_sample"].count == 40
    own = {each.label: each.job.params for each in assignment_batch(AssignmentRequest()).jobs}
    assert (own["guided_sample"].guidance, own["guided_sample"].prior_dataset) == ("plain", None)
    assert own["guided_sample"].num_inference_steps == 1000
    bundled = assignment_batch(AssignmentRequest(sampler="dpmpp_2m")).jobs
    assert bundled[0].job.params.prior_dataset is None  # its checkpoint knows its data's start


def test_what_the_assignment_is_given_goes_to_all_that_need_it():
    request = AssignmentRequest(
        checkpoint="c", dataset="d", num_inference_steps=50, training_images=9, name="x" * 200
    )

    jobs = {each.label: each.job for each in assignment_batch(request).jobs}

    for label in ("sample", "merge", "train_regressor", "guided_sample"):
        assert jobs[label].params.checkpoint == "c"
    for label in ("sample", "merge", "guided_sample"):
        assert jobs[label].params.num_inference_steps == 50
    for label in ("merge", "train_regressor", "evaluate_sample", "evaluate_guided"):
        assert jobs[label].params.dataset == "d"
    assert jobs["train_regressor"].params.images == 9
    given = assignment_batch(AssignmentRequest(regressor="r")).jobs
    assert "train_regressor" not in {each.label for each in given}
    guided = next(each.job for each in given if each.label == "guided_sample")
    assert guided.params.regressor == "r"


def test_the_assignment_s_regressor_goes_on_from_another():
    jobs = {each.label: each.job for each in assignment_batch(AssignmentRequest(initial="r")).jobs}
    assert jobs["train_regressor"].params.initial == "r"
    assert jobs["guided_sample"].params.regressor.job == "train_regressor"

    with pytest.raises(pydantic.ValidationError, match="or one that another goes on from"):
        AssignmentRequest(regressor="r", initial="r")


def test_the_assignment_is_committed_as_one_with_one_seed_and_replayed(service, count_jobs):
    request = AssignmentRequest()
    first = service.submit_assignment(request, "ada", "key")
    second = service.submit_assignment(request, "ada", "key")

    assert [job.id for job in second.jobs] == [job.id for job in first.jobs]
    assert count_jobs() == len(first.jobs) == 8
    assert len({job.params["seed"] for job in first.jobs[:-1]}) == 1
    assert set(first.jobs[-1].after) == {job.id for job in first.jobs[:-1]}


@pytest.mark.parametrize("field", ["checkpoint", "dataset", "initial"])
def test_errors_of_an_assignment_name_its_own_fields(service, count_jobs, field):
    with pytest.raises(JobError, match="nowhere") as bad:
        service.submit_assignment(AssignmentRequest(**{field: "nowhere"}), "ada")

    assert bad.value.details["field"] == field
    assert bad.value.message.startswith(f"{field}: ")
    assert count_jobs() == 0
