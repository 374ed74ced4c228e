"""The pages of merges, regressors, guided faces and reports, and how jobs wait for each other."""

import html
import io
import re

import pytest

from dashboard.headers import OF_A_REPORT
from formats.pictures import collage, encode_png
from jobs.contract import ArtifactRole
from jobs.messages import ReportStatus
from synthetic import synthetic_faces
from tests.dashboard.test_trainings import metrics, npy, picture, text_of


@pytest.fixture
def merge(bench):
    return bench.submit_kind(
        "merge",
        faces=[[3, 7], [12, 40]],
        timesteps=[300, 600],
        num_inference_steps=10,
        synthetic_count=100,
        seed=1,
    )


@pytest.fixture
def regressor(bench):
    return bench.submit_kind("train_regressor", steps=20, synthetic_count=300, batch_size=8)


@pytest.fixture
def guided(bench, regressor):
    return bench.submit_kind(
        "guided_sample",
        regressor={"job": regressor},
        target_ages=[18, 62.5],
        faces_per_age=3,
        guidance_scale=2,
        num_inference_steps=10,
        seed=1,
    )


def finish_with_collage(bench, job, images, columns, cells):
    """All shards succeed; the collage has `cells` for each of so many images."""
    for shard in bench.service.list_shards(job)[:-1]:
        bench.report(job, shard.index)
        bench.report(job, shard.index, ReportStatus.SUCCEEDED)
    faces = synthetic_faces(images, seed=2)[0]
    sheet = collage(synthetic_faces(images * cells, seed=2)[0], columns)
    files = {
        "images.npy": (ArtifactRole.IMAGES, npy(faces).getvalue(), [images, 48, 48]),
        "collage.png": (ArtifactRole.COLLAGE, encode_png(sheet), [sheet.height, sheet.width]),
        "figure.png": picture(images, 2),
    }
    last = bench.service.list_shards(job)[-1].index
    bench.report(job, last, ReportStatus.SUCCEEDED, files=files)


def test_every_kind_is_listed_and_has_a_page_and_a_form_that_makes_it_again(
    client, bench, merge, regressor, guided
):
    sample = bench.submit(count=100)
    jobs = [merge, regressor, guided, sample]
    jobs.append(bench.submit_kind("train_ddpm", steps=5, width=8))
    jobs.append(bench.submit_kind("evaluate", job=sample, synthetic_count=400))
    jobs.append(bench.submit_kind("report", jobs=[sample, merge]))

    listed = text_of(client.get("/"))

    assert "2 pairs merged from t = 300 and 600 kernel · DDPM · 10 steps" in listed
    assert "6 faces of 18 and 62.5 years calibrated guidance, scale 2 · DDPM" in listed
    assert "Training of a regressor at width 32 20 steps · dataset synthetic" in listed
    assert "Report on 2 jobs" in listed
    for job in jobs:
        page = client.get(f"/jobs/{job}")
        assert page.status_code == 200
        link = html.unescape(re.search(r'href="(/new\?[^"]+)">Submit again', page.text)[1])
        form = client.get(link).text
        fields = re.search(r"<form .*?</form>", form, re.S)[0]
        answer = client.post("/new", data=filled(fields))
        assert answer.status_code == 303, (job, re.findall(r"field-error[^<]+", answer.text))
        again = bench.service.get_job(answer.location.rpartition("/")[2])
        first = bench.service.get_job(job).params
        assert {**again.params, "preset": None} == {**first, "preset": None}


def filled(form):
    """What a browser sends of this form."""
    sent = {}
    for tag in re.findall(r"<input [^>]*>", form):
        name = re.search(r'name="([^"]*)"', tag)[1]
        if re.search(r'type="(radio|checkbox)"', tag) and " checked" not in tag:
            continue
        value = re.search(r'value="([^"]*)"', tag)
        sent.setdefault(name, []).append(html.unescape(value[1]) if value else "")
    for name, options in re.findall(r'<select id="\w+" name="(\w+)".*?>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        sent[name] = [html.unescape(chosen[1]) if chosen else ""]
    return sent


def test_a_merge_shows_its_figure_in_words_and_enlarges_what_was_merged(client, bench, merge):
    finish_with_collage(bench, merge, images=4, columns=6, cells=3)
    images = bench.service.list_artifacts(merge)[2]

    page = client.get(f"/jobs/{merge}")

    assert "Each row is a timestep t, to which both faces were noised" in text_of(page)
    assert "3 with 7, 12 with 40" in text_of(page)
    zoomed = re.findall(r'images/(\d)\.png" data-zoom="([^"]+)"[^>]*><rect x="(\d+)"', page.text)
    assert zoomed[1:3] == [
        ("1", "Pair 2 merged from t = 300", "240"),
        ("2", "Pair 1 merged from t = 600", "96"),
    ]
    assert f'href="/new?kind=evaluate&amp;job={merge}"' in page.text
    assert images.role is ArtifactRole.IMAGES


def test_guided_faces_name_their_ages_and_the_regressor_that_is_still_trained(
    client, bench, regressor, guided
):
    waiting, parent = client.get(f"/jobs/{guided}"), client.get(f"/jobs/{regressor}")
    seen = text_of(waiting)
    assert "Waits for queued Training of a regressor at width 32 training of a" in seen
    assert f"regressor what {regressor} trains" in seen
    assert "Used by queued 6 faces of 18 and 62.5 years guided sampling" in text_of(parent)
    form = client.get(html.unescape(re.search(r'href="([^"]+)">Guide with it', parent.text)[1]))
    assert f'<option value="job:{regressor}" selected>' in form.text

    bench.report(regressor, 0)
    bench.report(regressor, 0, ReportStatus.SUCCEEDED, files={"metrics.json": metrics(steps=20)})
    finish_with_collage(bench, guided, images=6, columns=3, cells=1)

    page = client.get(f"/jobs/{guided}")
    assert 'data-zoom="Face 2 of 62.5 years"' in page.text
    assert "Each row is a target age." in text_of(page)
    assert "Made from" in text_of(page)


def test_a_regressor_shows_two_charts_and_its_error_by_timestep(client, bench, regressor):
    curves = {
        "loss": [(1.0, 900.0), (10.0, 300.0)],
        "held_out_loss": [(10.0, 320.0)],
        "held_out_mae": [(5.0, 20.0), (10.0, 15.5)],
    }
    bench.report(regressor, 0, done=10, curves=curves)

    seen = text_of(client.get(f"/jobs/{regressor}"))

    assert "Held-out error: 20 after step 5, 15.5 after step 10" in seen
    assert "Training loss: 900 after step 1, 300 after step 10" in seen
    assert "training steps years²" in seen

    told = metrics(
        mae_by_tenth=[10.0 + tenth for tenth in range(10)],
        predict_mean_mae_by_tenth=[20.123] * 10,
        mse_by_tenth=[150.0] * 10,
        excluded_ages={"missing": 1234, "wrong": 2},
    )
    bench.report(
        regressor, 0, ReportStatus.SUCCEEDED, files={"metrics.json": told}, done=20, curves=curves
    )
    seen = text_of(client.get(f"/jobs/{regressor}"))
    assert "Mean absolute error (years) Always saying the mean age (years)" in seen
    assert "90 to 100 % of T 19.00 20.12 150.00" in seen
    assert "1,234 faces without an age (below 0), 2 with a wrong one" in seen


def test_an_evaluation_of_guided_faces_has_a_row_for_each_age(client, bench, guided):
    job = bench.submit_kind("evaluate", job=guided, synthetic_count=400)
    ages = [
        {"target": 18.0, "judged_mean": 21.26, "judged_standard_error": 1.42, "n": 3}
        | {"mean_error": 3.26, "spread": 2.5, "gray_hair": 0.01},
        {"target": 80.0, "judged_mean": 70.0, "judged_standard_error": None, "mean_error": -10.0},
    ]
    figure = {"name": "age_rank_correlation", "value": 0.8, "standard_error": None}
    file = metrics(ages=ages, judge={"held_out_mae": 4.25}, figures=[figure], diversity={})
    complete(bench, job, {"metrics.json": file})

    seen = text_of(client.get(f"/jobs/{job}"))

    assert "18 21.3 ± 1.4 +3.3 2.5 0.010 – 3" in seen
    assert "80 70.000 −10.0 – – – –" in seen
    assert "never saw: 4.2 years" in seen
    assert "Judged age and target" in seen


def test_an_evaluation_of_a_merge_has_a_row_for_each_timestep(client, bench, merge):
    job = bench.submit_kind("evaluate", job=merge, synthetic_count=400)
    row = {"t": 300, "seam_energy": {"value": 1.2, "error": 0.05}, "correlation_first": None}
    file = metrics(merge=[row], plain_seam_energy={"value": 1.0, "error": 0.02}, figures=[])
    complete(bench, job, {"metrics.json": file})

    seen = text_of(client.get(f"/jobs/{job}"))

    assert "300 1.200 ± 0.050 – –" in seen
    assert "Faces that were never merged have 1.000 ± 0.020." in seen


def complete(bench, job, files):
    bench.report(job, 0)
    bench.report(job, 0, ReportStatus.SUCCEEDED, files=files)


def test_a_report_opens_in_the_browser_where_nothing_in_it_can_run(client, bench):
    sample = bench.submit("Hundred", count=100)
    job = bench.submit_kind("report", jobs=[sample], title="Ours")
    assert client.get(f"/jobs/{job}/report.html").status_code == 404
    page = b"<!doctype html><title>Ours</title><script>alert(1)</script>"
    files = {
        "report.html": (ArtifactRole.REPORT, page, []),
        "report.pdf": (ArtifactRole.REPORT, b"%PDF", []),
    }
    complete(bench, job, files)

    shown, opened = client.get(f"/jobs/{job}"), client.get(f"/jobs/{job}/report.html")

    assert "Reports on queued Hundred sampling" in text_of(shown)
    assert "PDF .pdf, 4 bytes" in text_of(shown)
    assert opened.data == page
    assert opened.headers["Content-Security-Policy"] == OF_A_REPORT
    assert "sandbox" in OF_A_REPORT
    assert "script-src" not in OF_A_REPORT


def test_the_assignment_is_submitted_and_its_report_leads_to_all_its_jobs(client, bench):
    typed = {"kind": "assignment", "num_inference_steps": "10", "name": "Ours", "once": "x"}

    answer, same = (client.post("/new", data=typed) for _ in range(2))

    assert answer.status_code == 303
    assert same.location == answer.location
    page = client.get(answer.location)
    seen = text_of(page)
    assert "Ours: the report" in seen
    for words in ("100 faces", "the age regressor", "faces at target ages"):
        assert f"Ours: {words}" in seen
    assert len(bench.service.list_jobs().items) == 8
    first = re.search(r'href="(/jobs/\w+)">Ours: 100 faces', page.text)[1]
    assert "Also submitted together with it" in text_of(client.get(first))


@pytest.mark.parametrize(
    ("kind", "name", "text", "message"),
    [
        ("merge", "faces", "3-7, 5", "Which pairs must be empty, or 1 to 100 pairs such as 3-7"),
        ("merge", "faces", "3-x", "Which pairs must be empty, or 1 to 100 pairs such as 3-7"),
        ("merge", "faces", "3-upload:no", "params.faces.0.1.upload: there is no upload 'no'"),
        ("merge", "faces", "3-job:no/2", "params.faces.0.1.job: there is no job 'no'"),
        ("merge", "faces", "3-400", "params.faces.0.1: must be within 0 and 99"),
        ("merge", "timesteps", "300, 1000", "Timesteps t must be 1 to 20 whole numbers, each"),
        ("merge", "timesteps", "", "Timesteps t must be 1 to 20 whole numbers, each within 1 and"),
        ("merge", "mask", "upload", "These do not go together: Of the first face, Uploaded mask."),
        ("guided_sample", "target_ages", "18; 101", "Target ages must be 1 to 20 numbers, each"),
        ("guided_sample", "regressor", "job:no", "params.regressor.job: there is no job 'no'"),
        ("guided_sample", "regressor", "bundled", "params.regressor: must be an age regressor"),
        ("train_regressor", "weight_decay", "2", "Weight decay must be a number within 0 and 1"),
        (
            "train_regressor",
            "low_noise_share",
            "1",
            "Share of little noise must be a number",
        ),
        ("report", "jobs", "", "Jobs must be at least one of the list, but it is empty."),
        ("report", "jobs", "gone", "params.jobs.0: there is no job 'gone'"),
        ("assignment", "dataset", "gone", "dataset: there is no dataset 'gone'"),
        ("assignment", "initial", "bundled", "initial: must be an age regressor"),
        ("assignment", "training_images", "0", "Training images must be a whole number within"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(client, bench, kind, name, text, message):
    typed = {"kind": kind, "synthetic_count": "100", "batch_size": "8"}

    page = client.post("/new", data=typed | ({name: text} if text or name != "jobs" else {}))

    assert page.status_code == 422
    found = re.search(rf'id="error-{name}"[^>]*>([^<]+)<', page.text)
    assert html.unescape(found[1]).startswith(message)
    assert bench.service.list_jobs().items == []


def test_a_picture_is_uploaded_shown_and_merged_with(client, bench):
    face = encode_png(collage(synthetic_faces(1, seed=3)[0], 1))
    wrong = client.post("/pictures", data={"file": (io.BytesIO(b"GIF89a"), "x.png")})
    assert wrong.status_code == 422

    answer = client.post("/pictures", data={"file": (io.BytesIO(face), "me.png"), "name": ""})

    assert answer.status_code == 303
    (upload,) = bench.service.list_uploads()
    page = client.get("/pictures")
    assert f"me upload:{upload.id}" in text_of(page)
    typed = {"kind": "merge", "synthetic_count": "100", "faces": f"3-upload:{upload.id}"}
    job = client.post("/new", data=typed).location
    assert f'href="/pictures#{upload.id}">upload' in client.get(job).text
