"""jobs.json: the same jobs again."""

import pytest

from jobs.requests import BatchRequest, EvaluateParams, GuidedSampleParams, MergeParams
from reports.material import MadeJob, Material
from reports.repeating import batch_request, label_jobs


def items(material: Material) -> dict[str, dict]:
    return {item["label"]: item["job"] for item in batch_request(material)["jobs"]}


def params(model) -> dict:
    return model.model_dump(mode="json")


def test_the_batch_of_all_kinds_is_one_that_is_taken(material):
    batch = BatchRequest.model_validate(batch_request(material))

    labels = [item.label for item in batch.jobs]
    assert labels == [
        *("sample", "merge", "train_regressor", "guided_sample", "evaluate", "evaluate-2"),
        *("train_ddpm", "report"),
    ]


def test_parameters_seeds_and_names_are_the_same(material, all_kinds):
    batch = BatchRequest.model_validate(batch_request(material))

    by_label = {item.label: item.job for item in batch.jobs}
    for job in (all_kinds[0], all_kinds[1], all_kinds[2], all_kinds[6]):
        again = by_label[label_jobs(all_kinds)[job.id]]
        assert again.params.model_dump(mode="json") == job.params
        assert again.name == job.name


def test_a_network_that_the_report_trains_is_named_by_the_label_of_its_training(material):
    assert items(material)["guided_sample"]["params"]["regressor"] == {"job": "train_regressor"}


def test_references_within_the_report_become_labels_and_others_stay():
    faces = [[{"job": "one", "image": 2}, {"job": "elsewhere", "image": 3}], [5, {"upload": "u"}]]
    jobs = [
        MadeJob("one", "sample", None, {}),
        MadeJob("two", "merge", None, params(MergeParams(seed=1, faces=faces))),
        MadeJob("three", "guided_sample", None, params(GuidedSampleParams(seed=1))),
        MadeJob("four", "evaluate", None, params(EvaluateParams(job="two"))),
    ]

    found = items(Material(None, jobs))

    assert found["merge"]["params"]["faces"] == [
        [{"job": "sample", "image": 2}, {"job": "elsewhere", "image": 3}],
        [5, {"upload": "u"}],
    ]
    assert found["evaluate"]["params"]["job"] == "merge"
    assert found["guided_sample"]["params"]["regressor"] == "bundled-regressor"
    assert found["report"]["params"]["jobs"] == ["sample", "merge", "guided_sample", "evaluate"]


def test_jobs_come_after_those_that_they_name():
    jobs = [
        MadeJob("one", "evaluate", None, params(EvaluateParams(job="two"))),
        MadeJob("two", "merge", None, {"faces": [[{"job": "three", "image": 0}, 1]]}),
        MadeJob("three", "sample", None, {}),
    ]

    batch = batch_request(Material("Ours", jobs))

    assert [item["label"] for item in batch["jobs"]] == ["sample", "merge", "evaluate", "report"]
    assert batch["jobs"][-1]["job"]["params"] == {
        "jobs": ["evaluate", "merge", "sample"],
        "title": "Ours",
    }


@pytest.mark.parametrize(("count", "has_report"), [(49, True), (50, False)])
def test_a_batch_is_never_longer_than_it_may_be(count, has_report):
    jobs = [MadeJob(str(number), "sample", None, {}) for number in range(count)]

    batch = BatchRequest.model_validate(batch_request(Material(None, jobs)))

    assert (batch.jobs[-1].label == "report") is has_report
