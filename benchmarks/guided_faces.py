"""`python -m benchmarks.guided_faces`: how scale, form and interval of guidance change the faces.

Samples faces at 18, 40, 60 and 80 years by the bundled networks, one row for each setting, beside
unguided ones from the same noise, and writes a table and a contact sheet. What is sampled is kept
in the work folder, and gone on from.
"""

import argparse
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

import jobs
from benchmarks.documents import table, write_block
from benchmarks.guidance import GuidanceRow, cells, head, measure_row
from diffusion import (
    Checkpoint,
    SampleStep,
    load_checkpoint,
    load_feature_network,
    plan,
    predictor,
    start_noise,
)
from diffusion.checkpoints import RegressorCheckpoint, load_regressor
from diffusion.fixed_batches import in_fixed_batches
from diffusion.guidance import AgeGuide, GuidanceOptions
from diffusion.judge import load_judge
from diffusion.plan import Plan, Sampler
from diffusion.sampling import guided_sample
from formats.faces import Faces, from_unit_range
from formats.figures import labelled_collage
from formats.pictures import encode_png

BUNDLED = Path(jobs.__file__).parent / "bundled"
AGES = (18.0, 40.0, 60.0, 80.0)
SEED = 2026
BATCH = 20
SHOWN = 12  # faces of each age on the sheet
SHOWN_SETTING = "calibrated 4; dpmpp_2m, 20 steps"


@dataclass(frozen=True)
class Setting:
    """A row of the table."""

    name: str
    guidance: GuidanceOptions
    sampler: Sampler = "dpmpp_2m"
    steps: int = 20


_CALIBRATED = GuidanceOptions("calibrated", 4.0, "eps")
_PLAIN = GuidanceOptions("plain", 0.2, "mean")


def settings(steps: int) -> list[Setting]:
    """All rows, those of ancestral sampling in so many steps."""
    few = [
        Setting(f"calibrated {scale:g}", replace(_CALIBRATED, scale=scale))
        for scale in (1.0, 2.0, 4.0, 8.0)
    ]
    few.append(
        Setting("calibrated 4, σ 0.2 to 1.6", replace(_CALIBRATED, sigma_min=0.2, sigma_max=1.6))
    )
    many = [
        Setting("calibrated 4", replace(_CALIBRATED, form="mean"), "ddpm", steps),
        Setting("plain 0.2 (the assignment's)", _PLAIN, "ddpm", steps),
    ]
    return [*few, *many]


class Study:
    """Samples and measures settings."""

    def __init__(
        self, work: Path, count: int, regressor: Path, judge: Path, device: torch.device
    ) -> None:
        """Keep faces in `work`, `count` of each age."""
        self._work, self._count = work, count
        self._checkpoint: Checkpoint = load_checkpoint(BUNDLED / "noise-predictor-32.safetensors")
        self._regressor: RegressorCheckpoint = load_regressor(regressor)
        self._device = device
        predict = predictor(self._checkpoint.model, device)
        self._predict = partial(in_fixed_batches, predict) if device.type == "cpu" else predict
        self._judge, _ = load_judge(judge)
        self._features = load_feature_network(BUNDLED / "face-features.safetensors")

    def row(self, setting: Setting) -> tuple[GuidanceRow, Faces]:
        """Measure a setting; its faces, age by age."""
        faces = self._faces(setting)
        none = GuidanceOptions(setting.guidance.likelihood, 0.0, setting.guidance.form)
        plain = replace(setting, name=f"unguided {setting.sampler} {setting.steps}", guidance=none)
        unguided = self._faces(plain, ages=AGES[:1])
        by_age = dict(zip(AGES, np.split(faces, len(AGES)), strict=True))
        row = measure_row(setting.name, by_age, unguided, self._judge, self._features)
        return row, faces

    def _faces(self, setting: Setting, ages: tuple[float, ...] = AGES) -> Faces:
        path = self._work / f"{_file_name(setting.name)}-{self._count}.npy"
        if not path.exists():
            faces = self._sample(setting, ages)
            np.save(path, faces)
        loaded: Faces = np.load(path)
        return loaded

    def _sample(self, setting: Setting, ages: tuple[float, ...]) -> Faces:
        steps: Plan = plan(
            setting.sampler,
            self._checkpoint.betas,
            setting.steps,
        )
        made = []
        for age in ages:
            for first in range(0, self._count, BATCH):
                noises = range(first, min(first + BATCH, self._count))
                guide = AgeGuide(
                    self._regressor,
                    setting.guidance,
                    [age] * len(noises),
                    predictor=self._checkpoint.model,
                    device=self._device,
                )
                z = start_noise(self._checkpoint.prior, self._checkpoint.betas, SEED, noises)
                *_, last = guided_sample(
                    self._predict, steps, guide, SEED, noises, SampleStep(0, z.to(self._device))
                )
                made.append(from_unit_range(last.z[:, 0].cpu().numpy()))
        return np.concatenate(made)


def sheet(faces: Faces, count: int, title: str) -> bytes:
    """The first faces of each age as PNG."""
    shown = np.concatenate([part[:SHOWN] for part in np.split(faces, len(AGES))])
    rows = [f"{age:g} years" for age in AGES]
    return encode_png(labelled_collage(shown, min(SHOWN, count), rows, [], title))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guided_faces", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder where faces are kept")
    parser.add_argument("--count", type=int, default=40, help="faces of each age")
    parser.add_argument("--steps", type=int, default=50, help="of ancestral sampling")
    parser.add_argument("--only", default="", help="rows whose names begin so")
    parser.add_argument("--regressor", type=Path, default=BUNDLED / "age-regressor-32.safetensors")
    parser.add_argument("--judge", type=Path, default=BUNDLED / "age-judge.safetensors")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--out", type=Path, help="document with the mark 'table'")
    parser.add_argument("--picture", type=Path, help="where the sheet of SHOWN_SETTING goes")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    study = Study(
        arguments.work,
        arguments.count,
        arguments.regressor,
        arguments.judge,
        arguments.device,
    )
    rows = []
    for setting in settings(arguments.steps):
        name = f"{setting.name}; {setting.sampler}, {setting.steps} steps"
        if not name.startswith(arguments.only):
            continue
        row, faces = study.row(replace(setting, name=name))
        rows.append(row)
        print(" | ".join(cells(row)), flush=True)
        picture = sheet(faces, arguments.count, f"Faces at target ages: {name}")
        (arguments.work / f"{_file_name(name)}.png").write_bytes(picture)
        if arguments.picture is not None and name == SHOWN_SETTING:
            arguments.picture.write_bytes(picture)
    if arguments.out is not None:
        write_block(arguments.out, "table", table(head(rows[0]), [cells(row) for row in rows]))


def _file_name(words: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in words)


if __name__ == "__main__":
    main()
