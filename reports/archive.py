"""assignment.zip: the report, its pictures, the networks, and the code that made them."""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from reports.material import CheckpointFile, MadeJob, Material
from reports.repeating import label_jobs

CODE = ("diffusion", "formats", "synthetic")  # packages that the scripts need
REQUIREMENTS = ("numpy", "packaging", "pillow", "safetensors", "torch")
SCRIPTS = Path(__file__).parent / "scripts"
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
COMPRESSED = (".html", ".json", ".npy", ".py", ".txt")
README = """\
{title}

report.pdf, report.html   the report
jobs.json                 submits the same jobs again, to a running Darkroom
{folders}
checkpoints/              the networks
diffusion/ formats/ synthetic/
                          the code that made the pictures

To make them again without Darkroom (Python 3.11 or newer):

    python -m venv .venv
    . .venv/bin/activate
    pip install -r requirements.txt
{commands}

Without options a script repeats its job, whose parameters are in params.json: the same bytes on
the same kind of machine. On a CPU that may take long; `--help` shows what makes it short, such as
--num-inference-steps. What it makes lies in out/.
"""


def build_archive(material: Material, made: Mapping[str, bytes]) -> bytes:
    """The zip; the same material gives the same bytes.

    Args:
        material: the jobs that are reported on.
        made: files at the top, by name: the report and jobs.json.
    """
    members = dict(made)
    labels = label_jobs(material.jobs)
    for job in material.jobs:
        members |= _job_files(job, labels[job.id])
    for checkpoint in _checkpoints(material):
        members[checkpoint_name(checkpoint)] = checkpoint.content
    for package in CODE:
        members |= dict(_code(package))
    scripts = scripts_of(material)
    members |= {path.name: path.read_bytes() for path in scripts}
    members["requirements.txt"] = _requirements().encode()
    members["README.txt"] = _readme(material, labels, [path.name for path in scripts]).encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in sorted(members):
            archive.writestr(_entry(name), members[name])
    return content.getvalue()


def checkpoint_name(checkpoint: CheckpointFile) -> str:
    """Where a network lies in the zip."""
    return f"checkpoints/{_safe(checkpoint.id)}.safetensors"


def _checkpoints(material: Material) -> list[CheckpointFile]:
    return [each for job in material.jobs for each in job.checkpoints]


def _job_files(job: MadeJob, folder: str) -> dict[str, bytes]:
    files = {f"{folder}/{_safe(each.name)}": each.content for each in job.pictures}
    files |= {f"{folder}/{_safe(name)}": content for name, content in job.arrays.items()}
    params: dict[str, Any] = dict(job.params)
    for each in job.checkpoints:
        params[f"{each.field}_file"] = checkpoint_name(each)
    files[f"{folder}/params.json"] = _json(params)
    if job.metrics:
        files[f"{folder}/metrics.json"] = _json(job.metrics)
    return files


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=1) + "\n").encode()


def _safe(name: str) -> str:
    """A name that stays in its folder."""
    return re.sub(r"[^A-Za-z0-9._-]|^\.+", "_", PurePosixPath(name).name) or "_"


def _code(package: str) -> Iterator[tuple[str, bytes]]:
    """The modules of an installed package; it is not imported, as it may need what is not here."""
    spec = find_spec(package)
    assert spec is not None
    for location in spec.submodule_search_locations or ():
        for path in Path(location).rglob("*.py"):
            yield f"{package}/{path.relative_to(location).as_posix()}", path.read_bytes()


def scripts_of(material: Material) -> list[Path]:
    """The scripts of the kinds that are reported on, in the jobs' order."""
    kinds = dict.fromkeys(job.kind for job in material.jobs)
    paths = [SCRIPTS / f"{kind}.py" for kind in kinds]
    return [path for path in paths if path.exists()]


def _requirements() -> str:
    """The versions in use, without what says where they were built."""
    lines = []
    for name in REQUIREMENTS:
        try:
            lines.append(f"{name}=={version(name).partition('+')[0]}\n")
        except PackageNotFoundError:
            lines.append(f"{name}\n")
    return "".join(lines)


def _readme(material: Material, labels: Mapping[str, str], scripts: list[str]) -> str:
    folders = "\n".join(
        f"{labels[job.id] + '/':<26}what the job of kind {job.kind} made, and its parameters"
        for job in material.jobs
    )
    commands = "\n".join(f"    python {name}" for name in scripts)
    return README.format(
        title=material.title or "Face diffusion", folders=folders, commands=commands
    )


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, FIXED_TIME)
    is_compressed = name.endswith(COMPRESSED)
    entry.compress_type = zipfile.ZIP_DEFLATED if is_compressed else zipfile.ZIP_STORED
    entry.external_attr = 0o644 << 16
    return entry
