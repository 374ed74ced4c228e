"""assignment.zip: what is in it, and that it repeats the jobs on its own."""

import io
import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from formats.faces import load_faces
from jobs.requests import SampleParams
from reports.archive import build_archive
from reports.material import MadeJob, Material

ROOT = Path(__file__).parents[2]
MADE = {"report.pdf": b"%PDF", "jobs.json": b"{}"}


def members(material: Material) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(build_archive(material, MADE))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_zip_holds_report_pictures_networks_and_what_repeats_them(material):
    found = members(material)

    assert {
        *("report.pdf", "jobs.json", "README.txt", "requirements.txt"),
        *("sample/collage.png", "sample/params.json", "merge/sources.npy", "evaluate/figure.png"),
        *("train_regressor/metrics.json", "evaluate-2/metrics.json"),
        *("checkpoints/bundled.safetensors", "checkpoints/0123456789abcdef.safetensors"),
        *("sample.py", "diffusion/sampling.py", "formats/pictures.py", "synthetic/faces.py"),
        "diffusion/metrics/kernel.py",
    } <= set(found)
    assert found["diffusion/plan.py"] == (ROOT / "diffusion/plan.py").read_bytes()
    assert not any(name.startswith(("jobs/", "worker/", "reports/")) for name in found)
    assert not any(".pyc" in name for name in found)


def test_the_zip_is_sorted_its_times_are_fixed_and_its_bytes_the_same(material):
    content = build_archive(material, MADE)

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert build_archive(material, MADE) == content


def test_the_versions_in_use_are_required(material):
    lines = members(material)["requirements.txt"].decode().split()

    assert f"numpy=={version('numpy')}" in lines
    assert {line.partition("==")[0] for line in lines} == {
        *("numpy", "packaging", "pillow", "safetensors", "torch")
    }
    assert not any("+" in line for line in lines)


def test_only_the_scripts_of_the_kinds_that_were_reported_on_are_there():
    jobs = [MadeJob("one", "train_ddpm", None, {})]

    assert not [
        name
        for name in members(Material(None, jobs))
        if name.count("/") == 0 and name.endswith(".py")
    ]


@pytest.mark.parametrize("name", ["../../x.png", "/etc/x.png", "..", ".hidden", "a/b\\c d.png"])
def test_no_name_leaves_its_folder(name, make_picture, make_checkpoint):
    made = make_picture(1, 1)
    picture = type(made)(made.role, name, made.content, made.size)
    job = MadeJob(
        *("one", "sample", None, {}),
        pictures=[picture],
        checkpoints=[make_checkpoint(checkpoint_id=name)],
    )

    for member in members(Material(None, [job])):
        assert ".." not in member.split("/")
        assert not member.startswith(("/", "."))


@pytest.fixture
def sampled(make_checkpoint) -> MadeJob:
    params = SampleParams(seed=11, count=3, num_inference_steps=4).model_dump(mode="json")
    return MadeJob("one", "sample", None, params, checkpoints=[make_checkpoint()])


def run_script(folder: Path, *arguments: str) -> str:
    """Run a script with nothing of this project on the path but what was unzipped."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=kept | {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_unzipped_script_samples_from_its_own_code(sampled, unpack):
    folder = unpack(build_archive(Material(None, [sampled]), MADE))
    with (folder / "diffusion/__init__.py").open("a") as module:
        module.write("print('the unzipped code')\n")

    output = run_script(folder, "sample.py", "--precision", "float32", "--count", "2")

    assert "the unzipped code" in output
    assert "2 faces are in" in output
    assert load_faces(folder / "out/sample/images.npy").shape == (2, 48, 48)
    assert (folder / "out/sample/collage.png").read_bytes().startswith(b"\x89PNG")


def test_every_script_is_short_and_imports_nothing_of_the_queue():
    scripts = list((ROOT / "reports/scripts").glob("*.py"))

    assert scripts
    for path in scripts:
        text = path.read_text()
        assert len(text.splitlines()) <= 80, path
        assert not any(
            f"{each} {name}" in text
            for each in ("import", "from")
            for name in ("jobs", "worker", "reports", "api")
        ), path


def test_params_say_where_the_network_lies(sampled):
    params = json.loads(members(Material(None, [sampled]))["sample/params.json"])

    assert params["checkpoint_file"] == "checkpoints/bundled.safetensors"
    assert params["seed"] == 11
