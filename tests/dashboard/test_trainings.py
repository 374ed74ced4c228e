"""The pages of trainings, evaluations and datasets, without script."""

import html
import io
import json
import re
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

from formats.architectures import tensor_shapes
from formats.checkpoint import CheckpointDescription, write_checkpoint
from formats.pictures import collage, encode_png
from jobs.contract import ArtifactRole
from jobs.messages import ReportStatus
from synthetic import synthetic_faces


def text_of(response):
    """What a reader sees."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", response.text)))


def picture(count, columns):
    sheet = collage(synthetic_faces(count, seed=2)[0], columns)
    return ArtifactRole.FIGURE, encode_png(sheet), [sheet.height, sheet.width]


def metrics(**values):
    return ArtifactRole.METRICS, json.dumps(values).encode(), []


@pytest.fixture
def trained(bench):
    """A training that has succeeded, with all its files."""
    job = bench.submit_kind("train_ddpm", "Ours", steps=200, width=8, batch_size=8)
    bench.train_on(job, 50)
    weights = bench.checkpoint_file("weights.safetensors", width=3).read_bytes()
    by_tenth = [0.5 / (tenth + 1) for tenth in range(10)]
    bench.end(
        job,
        {
            "noise-predictor-3.safetensors": (ArtifactRole.CHECKPOINT, weights, []),
            "metrics.json": metrics(
                images_seen=1600,
                held_out_loss=0.0523,
                held_out_loss_by_tenth=by_tenth,
                development={"images_seen": [32, 1600]},
            ),
            "development.png": picture(40, 20),
            "sheet.png": picture(100, 10),
        },
    )
    return job


def test_a_training_shows_its_curve_what_it_draws_and_how_far_it_is(client, bench):
    job = bench.submit_kind("train_ddpm", minutes=10, width=8)
    queued = text_of(client.get(f"/jobs/{job}"))
    bench.train_on(job, 150, version=4)

    page = client.get(f"/jobs/{job}")

    seen = text_of(page)
    assert "0.0 s of 10 min 00 s of training" in queued
    assert "The curve begins with the first training step." in queued
    assert "Training at width 8 running 10 minutes · dataset synthetic · by ada" in seen
    assert "25 %" in seen
    assert "2 min 30 s of 10 min 00 s of training" in seen
    assert "about 7 min 30 s left" in seen
    assert f'src="/jobs/{job}/previews/0.png?version=4" data-preview="0"' in page.text
    assert page.text.count("<polyline") == 2
    assert "Training loss: 0.897 after step 1," in seen
    assert "Held-out loss" in seen
    assert "Retry" not in seen


def test_a_trained_network_can_be_sampled_fetched_and_read_about(client, bench, trained):
    page = client.get(f"/jobs/{trained}")

    seen = text_of(page)
    (checkpoint,) = (each.id for each in bench.service.list_checkpoints() if each.job_id == trained)
    sample = html.unescape(re.search(r'href="([^"]+)">Sample from it', page.text)[1])
    form = client.get(sample)
    assert f'<option value="{checkpoint}" selected>' in form.text
    assert re.search(r'value="data" checked', form.text)
    assert client.get(f"/api/v1/checkpoints/{checkpoint}/file").status_code == 200
    assert f'href="/api/v1/checkpoints/{checkpoint}/file" download' in page.text
    assert "How its faces developed" in seen
    assert "the network had seen 32 and 1,600 images" in seen
    assert seen.index("100 faces at the end") < seen.index("How its faces developed")
    assert "0 to 10 % of T 0.5000" in seen
    assert "90 to 100 % of T 0.0500" in seen
    assert "Images seen 1,600" in seen
    assert "Held-out loss 0.0523" in seen
    assert page.text.count("<polyline") == 2
    artifacts = {each.name: each.id for each in bench.service.list_artifacts(trained)}
    assert f'src="/api/v1/artifacts/{artifacts["sheet.png"]}"' in client.get("/").text


def test_a_training_goes_on_with_the_same_faces_held_out(client, bench, trained):
    further = re.search(r'href="([^"]+)">Train it further', client.get(f"/jobs/{trained}").text)
    form = client.get(html.unescape(further[1]))
    params = bench.service.get_job(trained).params
    for name in ("seed", "holdout_fraction", "synthetic_count", "synthetic_seed"):
        assert re.search(rf'name="{name}"[^>]* value="{params[name]}"', form.text), name

    job = bench.submit_kind("train_ddpm", steps=20, width=8, batch_size=8)
    bench.end(job, {"metrics.json": metrics(held_out_loss=0.04, held_out_may_be_learnt=True)})

    seen = text_of(client.get(f"/jobs/{job}"))
    assert "may have learnt from some of the held-out faces" in seen
    assert "Held out may" not in seen  # and not once more as a figure
    assert "may have learnt" not in text_of(client.get(f"/jobs/{trained}"))


@pytest.mark.parametrize("kind", ["train_ddpm", "train_regressor", "assignment"])
def test_a_preset_leaves_what_a_training_goes_on_from_and_its_faces(client, kind):
    kept = {"initial": "b0a7", "seed": "9", "dataset": "synthetic"}
    if kind != "assignment":
        kept |= {"synthetic_count": "500", "synthetic_seed": "4", "holdout_fraction": "0.2"}
    page = client.get("/new", query_string={"kind": kind, **kept})
    presets = re.search(r'<nav class="presets".*?</nav>', page.text, re.S)[0]

    for link in re.findall(r'href="([^"]+)"', presets):
        asked = dict(parse_qsl(urlsplit(html.unescape(link)).query))
        assert asked.items() >= kept.items()

    fresh = client.get("/new", query_string={"kind": kind, "seed": "9"}).text
    presets = re.search(r'<nav class="presets".*?</nav>', fresh, re.S)[0]
    assert "seed=9" not in presets  # what begins anew is drawn anew


def test_checkpoints_say_where_they_come_from(client, bench, trained):
    page = client.get("/checkpoints")

    row = re.search(r"<tr[^>]*>(?:(?!</tr>).)*Ours.*?</tr>", page.text, re.S)[0]
    assert f'href="/jobs/{trained}">its training' in row
    assert "imported" in page.text
    assert "bundled" in page.text


def test_a_description_that_somebody_wrote_breaks_no_page(client, bench, tmp_path):
    arrays = {name: np.ones(shape, np.float32) for name, shape in tensor_shapes("unet", 2).items()}
    odd = {"images_seen": "about 2 million", "steps": [], "learning_rate": "low"}
    described = CheckpointDescription("unet", 2, training=odd, metrics={"held_out_loss": "good"})
    write_checkpoint(tmp_path / "odd.safetensors", arrays, described)
    bench.service.import_checkpoint(tmp_path / "odd.safetensors", "Odd")

    page = client.get("/checkpoints")

    assert page.status_code == 200
    assert "Odd" in page.text


FIGURE = {
    "name": "frechet_distance",
    "value": 1.23456,
    "standard_error": 0.0412,
    "floor": 0.3,
    "n": 1000,
    "better": "lower",
}


def test_an_evaluation_shows_every_figure_with_its_error_and_floor(client, bench):
    job = bench.submit_kind("evaluate", checkpoint="bundled", synthetic_count=400)
    bench.report(job, 0, done=40)
    running = text_of(client.get(f"/jobs/{job}"))
    new = FIGURE | {"name": "seam_energy", "value": 12, "standard_error": None, "floor": None}
    bench.end(
        job,
        {
            "metrics.json": metrics(
                figures=[FIGURE, new], spectrum_ratio={"value": [1.0] * 24}, seed=3
            ),
            "nearest-neighbours.png": picture(20, 10),
        },
    )

    page = client.get(f"/jobs/{job}")

    seen = text_of(page)
    assert "40 %" in running
    assert "percent" not in running
    assert "Evaluation of checkpoint bundled" in seen
    assert "Fréchet distance How far apart" in seen
    assert "1.235 ± 0.041 0.300 1,000 lower" in seen
    assert "Seam energy 12 \N{EN DASH} 1,000 lower" in seen
    assert "Each face beside the training faces nearest to it" in seen
    assert "Seed 3" in seen


def test_figures_that_cannot_be_read_leave_the_rest_of_the_page(client, bench):
    job = bench.submit_kind("evaluate", checkpoint="bundled", synthetic_count=400)
    bench.report(job, 0, done=40)
    bench.end(job, {"metrics.json": (ArtifactRole.METRICS, b"{", []), "new.png": picture(4, 2)})

    page = client.get(f"/jobs/{job}")

    assert page.status_code == 200
    assert "New" in text_of(page)


def test_faces_of_a_job_are_evaluated_by_a_link(client, bench):
    job = bench.submit("Hundred", count=100, num_inference_steps=1)
    assert "Evaluate these faces" not in client.get(f"/jobs/{job}").text
    bench.finish(job)
    link = html.unescape(
        re.search(r'href="([^"]+)">Evaluate these', client.get(f"/jobs/{job}").text)[1]
    )

    form = client.get(link)

    assert f'<option value="{job}" selected>Hundred ({job})</option>' in form.text
    typed = {"kind": "evaluate", "job": job, "synthetic_count": "400"}
    assert client.post("/new", data=typed).status_code == 303


def test_an_ended_job_is_retried_once_by_one_page(client, bench):
    job = bench.submit("Again", count=4)
    bench.service.cancel(job)
    page = client.get(f"/jobs/{job}")
    once = re.search(r'name="once" value="(\w+)"', page.text)[1]

    first, second = (client.post(f"/jobs/{job}/retry", data={"once": once}) for _ in range(2))

    assert first.status_code == 303
    assert first.location == second.location != f"/jobs/{job}"
    new = client.get(first.location)
    assert f'href="/jobs/{job}"' in new.text
    active = client.post(f"{first.location}/retry")
    assert active.status_code == 409
    assert "only a job that has ended can be retried" in text_of(active)


def npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return io.BytesIO(content.getvalue())


def test_an_uploaded_dataset_is_shown_and_offered(client, bench):
    faces = np.random.default_rng(0).integers(0, 256, (20, 48, 48), np.uint8)
    ages = np.array([5] * 4 + [33] * 14 + [-1, 200])
    form = {"faces": (npy(faces), "ours.npy"), "ages": (npy(ages), "ages.npy"), "name": ""}

    answer = client.post("/datasets", data=form)

    assert answer.status_code == 303
    page, listed = client.get(answer.location), client.get("/datasets")
    seen = text_of(page)
    assert "ours 20 faces" in seen
    assert "with an age 18 ages missing (below 0) 1 ages wrong (above 100) 1" in seen
    assert 'aria-label="Faces by age in years. 0\N{EN DASH}9: 4, 30\N{EN DASH}39: 14."' in page.text
    assert "20 faces, 18 with an age" in text_of(listed)
    assert "Synthetic faces, rendered" in text_of(listed)
    dataset = answer.location.rpartition("/")[2]
    assert f'href="/new?kind=train_ddpm&amp;dataset={dataset}"' in page.text
    form = client.get(f"/new?kind=train_ddpm&dataset={dataset}").text
    assert f'<option value="{dataset}" selected>ours (20)</option>' in form


@pytest.mark.parametrize(
    ("field", "faces", "ages", "words"),
    [
        ("faces", None, None, "Choose a file of faces"),
        ("faces", np.zeros((3, 48, 48, 3), np.uint8), None, "@ [0.299, 0.587, 0.114]"),
        ("faces", np.zeros((3, 48, 48), np.uint8), None, "of one gray level"),
        ("ages", np.eye(48, dtype=np.uint8)[None].repeat(3, 0), np.zeros(2), "3 faces and 2 ages"),
        ("faces", np.zeros((200, 48, 48), np.uint8), None, "over the limit of 200.0 kB"),
    ],
)
def test_a_bad_dataset_is_said_beside_its_field(client, bench, field, faces, ages, words):
    arrays = {"faces": faces, "ages": ages}
    form = {key: (npy(each), f"{key}.npy") for key, each in arrays.items() if each is not None}

    page = client.post("/datasets", data=form | {"name": "Mine"})

    assert page.status_code in (413, 422)
    found = re.search(rf'id="error-{field}"[^>]*>([^<]+)<', page.text)
    assert words in html.unescape(found[1])
    assert len(bench.service.list_datasets()) == 1


def test_a_worker_s_page_links_what_it_runs(client, bench):
    bench.worker_is_online()
    job = bench.submit(count=5)
    bench.report(job, 0, ReportStatus.RUNNING, step=1)

    page = client.get("/workers")

    assert f'<a href="/jobs/{job}"><code>{job}</code></a>' in page.text
    assert "shard 0" in page.text


def test_an_unknown_dataset_is_a_page(client):
    assert client.get("/datasets/none").status_code == 404
