"""What a report says of each kind of job."""

from dataclasses import replace

import pytest

from diffusion import UNet
from jobs.requests import GuidedSampleParams, MergeParams, SampleParams
from reports import formulas as f
from reports.contents import (
    Algorithm,
    Chart,
    Formula,
    Picture,
    Table,
    formulas_of,
)
from reports.material import MadeJob, Material
from reports.sections import compose
from reports.sections.regression import error_blocks
from tests.reports.conftest import METRICS
from tests.reports.reading import only, report_on, said, sections_of, table, words


def test_every_job_has_a_section_in_order_between_schedule_and_sources(sections):
    assert list(sections) == [
        "Noise schedule and notation",
        "Sampling faces",
        "Merging two faces: our pairs",
        "An age regressor for noised faces",
        "Faces at target ages",
        "Evaluation of the faces at target ages",
        "Evaluation of the merged faces",
        "Training the noise predictor",
        "Seeds and hashes",
        "How to repeat it",
        "Sources",
    ]


def test_the_title_says_whose_report_it_is_and_what_it_took(material):
    document = compose(replace(material, title="Ours"))

    facts = {name: words(text) for name, text in document.facts}
    assert document.title == "Ours"
    assert (facts["Submitted by"], facts["Date"]) == ("ada", "2026-11-25")
    assert facts["Computing time"] == "1 min 15 s"


def test_what_is_not_known_is_not_said(all_kinds):
    document = compose(Material(None, all_kinds[1:2]))

    assert [name for name, _ in document.facts] == ["Jobs", "Made with"]


def test_the_schedule_is_that_of_the_network(sections):
    rows = table(sections["Noise schedule and notation"], "T = 1000, β from 0.0001 to 0.01")

    assert rows[0][:3] == ["1", "0.00010", "0.9999"]
    assert rows[-1] == ["1000", "0.01000", "0.0063", "0.0794", "0.9968"]


def test_sampling_shows_collage_algorithm_network_and_settings(sections):
    blocks = sections["Sampling faces"]

    assert "in 1,000 steps" in said(blocks)
    collage = only(blocks, Picture)
    assert "2 rows and 2 columns" in words(collage.caption)
    assert "18.2" in words(only(blocks, Algorithm).title)
    assert f.SIGMA_BETA.words in said(blocks)
    weights = sum(parameter.numel() for parameter in UNet(8).parameters())
    assert ["Parameters", f"{weights:,}"] in table(blocks, "noise predictor")
    assert ["seed", "1"] in table(blocks, "Settings")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"variance": "posterior"}, f.SIGMA_POSTERIOR),
        ({"num_inference_steps": 50}, f.PAIR_BETA),
        ({"clip_x_0": True}, f.PREDICT_X),
        ({"sampler": "ddim", "eta": 0.5}, f.DDIM_STEP),
        ({"sampler": "dpmpp_2m"}, f.DPM_STEP),
        ({"prior": "data"}, f.DRAW_START),
    ],
)
def test_the_formulas_are_those_of_the_sampler_that_was_used(params, expected):
    chosen = SampleParams(seed=1, **params).model_dump(mode="json")
    document = compose(Material(None, [MadeJob("one", "sample", None, chosen)]))

    assert expected in formulas_of(document)


def test_an_algorithm_is_explained_once_and_then_named(sections):
    merging = sections["Merging two faces: our pairs"]

    assert not any(isinstance(block, Algorithm) for block in merging)
    assert "The sampler is DDPM (ancestral sampling), as in section 2." in said(merging)
    assert "The noise predictor (U-Net) is that of section 2" in said(merging)


def test_a_merge_names_rows_and_columns_and_its_formulas(sections):
    blocks = sections["Merging two faces: our pairs"]

    collage = only(blocks, Picture)
    assert [words(row) for row in collage.rows] == ["t = 100", "t = 300"]
    assert [words(column) for column in collage.columns] == ["x 1", "x 2", "merged"] * 2
    assert collage.groups == ["pair 1", "pair 2"]
    assert {f.KERNEL, f.NOISED, f.JOINED} <= {b for b in blocks if isinstance(b, Formula)}
    assert "1 in the left half" in said(blocks)
    assert "100 from t = 100, 300 from t = 300" in said(blocks)


def test_the_pairs_are_named_and_the_method_too():
    faces = [[3, {"upload": "aaf0"}], [{"job": "one", "image": 5}, 4]]
    params = MergeParams(seed=1, faces=faces, method="repaint").model_dump(mode="json")
    blocks = report_on(MadeJob("two", "merge", None, params))["Merging two faces"]

    assert table(blocks, "The pairs") == [
        ["1", "face 3 of dataset synthetic", "upload aaf0"],
        ["2", "image 5 of job one", "face 4 of dataset synthetic"],
    ]
    assert "each stretch is passed 3 times" in said(blocks)


def test_a_regressor_whose_start_may_know_the_held_out_faces_says_so():
    metrics = METRICS | {"held_out_may_be_learnt": True}
    assert "5.03 years. The regressor that it went on from may have learnt from some of" in said(
        error_blocks(metrics)
    )


def test_a_regressor_has_curves_and_errors_beside_the_mean_age(sections):
    blocks = sections["An age regressor for noised faces"]

    assert "41 with y < 0 (missing) and 3 with y > 100 (wrong)" in said(blocks)
    assert "For t ≤ 100 it is 5.03 years." in said(blocks)
    assert "may have learnt" not in said(blocks)
    rows = table(blocks, "Held-out error")
    assert rows[0] == ["1–100", "5.00", "17.25", "6.00"]
    assert rows[-1][:2] == ["901–1000", "14.00"]
    charts = [block for block in blocks if isinstance(block, Chart)]
    assert len(charts) == 3
    assert "Regressor: from 5 to 14" in charts[-1].alt
    assert "from 300 to 90" in charts[0].alt


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({}, "began with the noise predictor’s weights"),
        ({"start": "scratch"}, "began with random weights"),
        ({"initial": "0123456789abcdef"}, "went on from the weights of another regressor"),
        ({"low_noise_share": 0.7}, "Of 70% of the faces t is even over the first tenth of T."),
    ],
)
def test_how_a_regressor_was_trained_is_told(all_kinds, make_checkpoint, params, sentence):
    job = all_kinds[2]
    used = [make_checkpoint("initial", dataset="other faces")] if "initial" in params else []
    changed = replace(job, params=job.params | params, checkpoints=[*job.checkpoints, *used])
    blocks = report_on(changed)["An age regressor for noised faces"]

    assert sentence in said(blocks)
    assert ("is even over" in said(blocks)) == ("low_noise_share" in params)
    captions = [block.caption for block in blocks if isinstance(block, Table)]
    assert sum("that was used" in caption for caption in captions) == 1 + len(used)


def test_a_regressor_that_was_given_is_described_by_its_checkpoint(all_kinds):
    blocks = report_on(all_kinds[3])["Faces at target ages"]

    assert table(blocks, "Held-out error")[0] == ["1–100", "5.00", "17.25", "6.00"]
    assert f.LOSS in blocks


def test_a_regressor_that_this_report_shows_already_is_only_named(sections):
    blocks = sections["Faces at target ages"]

    assert "The age regressor (the U-Net’s downward half) is that of section 4" in said(blocks)
    assert f.LOSS not in blocks


@pytest.mark.parametrize(
    ("params", "formulas", "sentence"),
    [
        ({"guidance": "plain"}, {f.LOG_PLAIN, f.MEAN_SHIFT}, "s = 0.2 (Dhariwal"),
        ({"sampler": "ddim"}, {f.LOG_CALIBRATED, f.EPS_SHIFT}, "s = 4 (Dhariwal"),
        ({"guidance_gradient": "x_0"}, {f.GRADIENT_X}, "the noise predictor:"),
        ({"guidance_sigma_max": 1.5}, set(), "at most 1.5."),
        ({"guidance_clip": 0.25}, set(), "never longer than 0.25 times"),
        ({"shared_noise": False}, set(), "classifier guidance"),
    ],
)
def test_guidance_is_told_as_it_was(params, formulas, sentence):
    chosen = GuidedSampleParams(seed=1, **params).model_dump(mode="json")
    blocks = report_on(MadeJob("one", "guided_sample", None, chosen))["Faces at target ages"]

    assert formulas <= {block for block in blocks if isinstance(block, Formula)}
    assert sentence in said(blocks)


def test_the_rows_of_guided_faces_are_ages(sections):
    assert only(sections["Faces at target ages"], Picture).rows == ["18 years", "40.5 years"]


def test_seeds_and_hashes_are_listed(sections, all_kinds):
    blocks = sections["Seeds and hashes"]

    assert ["merge", "two", "2"] in table(blocks, "jobs and their seeds")
    hashes = {row[0] for row in table(blocks, "networks’ files")}
    assert hashes == {each.sha256 for job in all_kinds for each in job.checkpoints}


@pytest.mark.parametrize(
    "kind",
    ["sample", "merge", "train_regressor", "guided_sample", "train_ddpm", "evaluate", "new_kind"],
)
def test_a_job_of_which_nothing_is_known_is_reported_on_all_the_same(kind):
    document = compose(Material(None, [MadeJob("one", kind, None, {})]))

    assert len(sections_of(document)) == 5


@pytest.mark.parametrize("strange", [None, "text", 3, [1, "x"], {"a": None}, [{}], [None] * 10])
def test_metrics_that_are_not_as_expected_are_passed_over(strange):
    names = ("mae_by_tenth", "mse_by_tenth", "excluded_ages", "ages", "merge", "figures")
    metrics = dict.fromkeys((*names, "curves"), strange)
    for kind in ("train_regressor", "evaluate"):
        compose(Material(None, [MadeJob("one", kind, None, {}, metrics=metrics)]))


@pytest.mark.parametrize("strange", ["text", [1], ["ab"], [[1, "x"]], [[1]], {"a": None}])
def test_a_description_that_somebody_wrote_is_reported_on(all_kinds, make_checkpoint, strange):
    training = dict.fromkeys(("steps", "seconds", "learning_rate", "ema_decay", "seed"), strange)
    metrics = {"curves": {"loss": strange, "held_out_mae": strange}, "held_out_loss": strange}
    given = make_checkpoint("regressor", training=training, metrics=metrics)

    blocks = report_on(replace(all_kinds[3], checkpoints=[given]))["Faces at target ages"]

    assert ["Averaged weights", "exponential, decay –"] in table(blocks, "that was used")
    assert not [block for block in blocks if isinstance(block, Chart)]


def test_large_collages_are_cropped_and_that_is_said(make_picture):
    params = SampleParams(seed=1, count=400).model_dump(mode="json")
    job = MadeJob("one", "sample", None, params, pictures=[make_picture(400, 20)])

    collage = only(report_on(job)["Sampling faces"], Picture)

    assert collage.size == (15 * 48, 16 * 48)
    assert words(collage.caption).startswith("The first sampled faces")
