"""What a report says of each kind of job."""

from dataclasses import replace

import pytest

from diffusion import UNet
from jobs.requests import GuidedSampleParams, MergeParams, SampleParams
from reports import formulas as f
from reports.contents import (
    Algorithm,
    Chart,
    Code,
    Formula,
    Heading,
    Paragraph,
    Picture,
    Table,
    formulas_of,
    runs,
)
from reports.material import MadeJob, Material
from reports.sections import compose


def sections_of(document) -> dict[str, list]:
    """The blocks of each section, by its title."""
    sections: dict[str, list] = {}
    for block in document.blocks:
        if isinstance(block, Heading) and block.level == 1:
            sections[block.text] = []
        elif sections:
            sections[next(reversed(sections))].append(block)
    return sections


def words(text) -> str:
    """A text as it would be read aloud."""
    return "".join(
        run.words if isinstance(run, Formula) else run.text if isinstance(run, Code) else run
        for run in runs(text)
    )


def said(blocks) -> str:
    return "\n".join(words(block.text) for block in blocks if isinstance(block, Paragraph))


def table(blocks, caption: str) -> list[list[str]]:
    [found] = [b for b in blocks if isinstance(b, Table) and caption in words(b.caption)]
    return [[words(cell) for cell in row] for row in found.rows]


def only(blocks, kind):
    [found] = [block for block in blocks if isinstance(block, kind)]
    return found


@pytest.fixture(scope="module")
def sections(material) -> dict[str, list]:
    return sections_of(compose(material))


def report_on(job: MadeJob) -> dict[str, list]:
    return sections_of(compose(Material(None, [job])))


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


def test_a_regressor_has_curves_and_errors_beside_the_mean_age(sections):
    blocks = sections["An age regressor for noised faces"]

    assert "41 with y < 0 (missing) and 3 with y > 100 (wrong)" in said(blocks)
    assert "For t ≤ 100 it is 5.03 years." in said(blocks)
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


def test_an_evaluation_shows_judged_ages_figures_and_what_else_was_measured(sections, all_kinds):
    blocks = sections["Evaluation of the faces at target ages"]

    row = all_kinds[4].metrics["ages"][0]
    young = [
        *("18", "{judged_mean:.1f} ± {judged_standard_error:.1f}", "{mean_error:.1f}"),
        *("{spread:.1f}", "{gray_hair:.3f} ± {gray_hair_standard_error:.3f}"),
        *("{wrinkles:.3f} ± {wrinkles_standard_error:.3f}", "2"),
    ]
    first, _ = table(blocks, "the judge errs by 6.3 years on average.")
    assert first == [each.format(**row).replace("-", "−") for each in young]
    assert table(blocks, "Figures of quality") == [
        ["Fréchet distance of features", "0.25", "0.01", "–"],
        ["Age rank correlation", "0.938", "–", "–"],
    ]
    assert table(blocks, "Also measured") == [["New figure", "−0.875"]]
    assert isinstance(only(blocks, Picture), Picture)


def test_an_evaluation_of_a_merge_shows_seam_and_likeness(sections):
    blocks = sections["Evaluation of the merged faces"]

    caption = "Of 500 faces that were never merged the seam energy is 1.125 ± 0.031."
    assert table(blocks, caption) == [
        ["100", "–", "0.970 ± 0.004"],
        ["300", "1.250 ± 0.125", "0.750"],
    ]
    assert len([block for block in blocks if isinstance(block, Table)]) == 2  # and the settings


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


def test_large_collages_are_cropped_and_that_is_said(make_picture):
    params = SampleParams(seed=1, count=400).model_dump(mode="json")
    job = MadeJob("one", "sample", None, params, pictures=[make_picture(400, 20)])

    collage = only(report_on(job)["Sampling faces"], Picture)

    assert collage.size == (15 * 48, 16 * 48)
    assert words(collage.caption).startswith("The first sampled faces")
