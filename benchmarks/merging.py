"""How merged faces hold together, by t: the table of docs/merging.md and its picture.

    python -m benchmarks.merging --work W --out docs/merging.md --picture docs/merging.png

Pairs of synthetic faces that the network has not seen are merged from each t; beside them stand
faces that were sampled without merging. It goes on where it was broken off.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import jobs
from benchmarks.documents import table, write_block
from diffusion import (
    Checkpoint,
    NoisePredictor,
    SampleStep,
    load_checkpoint,
    plan,
    predictor,
    sample,
    start_noise,
)
from diffusion.merge import MASKS, Pairs, merged_start, steps_from
from diffusion.metrics.estimate import Estimate
from diffusion.metrics.seams import Faces, correlations, mean_of, seam_energies
from diffusion.repaint import Jumps, repaint
from formats.checkpoint import sha256_of
from formats.faces import from_unit_range, to_unit_range
from formats.figures import labelled_collage
from formats.pictures import encode_png
from synthetic import synthetic_faces

BUNDLED = Path(jobs.__file__).parent / "bundled" / "noise-predictor-32.safetensors"
TIMESTEPS = (50, 100, 200, 300, 400, 500, 600, 700, 800, 900)
SHOWN_PAIRS = 5
Steps = Iterator[SampleStep]
HEAD = ["method", "t", "σ", "steps", "seam energy", "correlation, first", "correlation, second"]


class Row(NamedTuple):
    """Merges from one t: uint8 (pairs, 48, 48), and what was measured on them."""

    method: str
    t: int
    steps: int
    images: Faces
    seam: Estimate
    first: Estimate
    second: Estimate


class Study:
    """Pairs of faces, a network, and a mask; what was sampled is kept in a folder."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.checkpoint: Checkpoint = load_checkpoint(arguments.checkpoint)
        self.steps: int = arguments.steps
        self.seed: int = arguments.seed
        self.batch: int = arguments.batch
        self.mask: Tensor = MASKS[arguments.mask]()
        faces, _ = synthetic_faces(2 * arguments.pairs, arguments.faces_seed)
        self.sources: Faces = faces.reshape(-1, 2, *faces.shape[1:])
        self.device: str = arguments.device
        self.predict: NoisePredictor = predictor(self.checkpoint.model, self.device)
        about = f"{sha256_of(arguments.checkpoint)[:12]}-seed-{self.seed}-{self.steps}-steps"
        self._folder: Path = arguments.work / about / f"{arguments.mask}-{arguments.faces_seed}"
        self._folder.mkdir(parents=True, exist_ok=True)

    def merge(self, method: str, t: int) -> Row:
        """All pairs from one t."""
        betas = self.checkpoint.betas
        steps = steps_from(t, self.steps, len(betas))
        way = plan("ddpm", betas, steps, start_t=t - 1)

        def walk(some: range) -> Steps:
            pairs = self._pairs(some)
            start = SampleStep(0, merged_start(pairs, t, betas, self.seed))
            if method == "repaint":
                return repaint(self.predict, way, self.seed, pairs, Jumps(), start)
            return sample(self.predict, way, self.seed, some, start=start)

        images = self._sampled(f"{method}-{t}", len(self.sources), walk)
        return self._measured(method, t, steps, images)

    def plain(self, count: int) -> Faces:
        """Faces that are not merged."""
        betas = self.checkpoint.betas
        way = plan("ddpm", betas, self.steps)

        def walk(some: range) -> Steps:
            z = start_noise(None, betas, self.seed, some)
            start = SampleStep(0, z.to(self.device))
            return sample(self.predict, way, self.seed, some, start=start)

        return self._sampled("plain", count, walk)

    def _sampled(self, name: str, count: int, walk: Callable[[range], Steps]) -> Faces:
        """Images 0 … count − 1, a batch at a time."""
        parts = []
        for first in range(0, count, self.batch):
            some = range(first, min(first + self.batch, count))
            path = self._folder / f"{name}-{some.start}-{some.stop}.npy"
            if not path.exists():
                *_, last = walk(some)
                temporary = path.with_suffix(".partial.npy")
                np.save(temporary, from_unit_range(last.z[:, 0].cpu().numpy()))
                temporary.replace(path)
            parts.append(np.load(path))
        return np.concatenate(parts)

    def _pairs(self, some: range) -> Pairs:
        faces = torch.from_numpy(to_unit_range(self.sources[some.start : some.stop])).to(
            self.device
        )
        return Pairs(faces[:, :1], faces[:, 1:], self.mask, some)

    def _measured(self, method: str, t: int, steps: int, images: Faces) -> Row:
        mask = self.mask.numpy()
        seam = mean_of(seam_energies(images, mask))
        is_first = mask >= 0.5
        kept = partial(correlations, images)
        first = mean_of(kept(self.sources[:, 0], is_first))
        second = mean_of(kept(self.sources[:, 1], ~is_first))
        return Row(method, t, steps, images, seam, first, second)


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)
    study = Study(arguments)
    mask = study.mask.numpy()
    plain = mean_of(seam_energies(study.plain(arguments.plain), mask))
    unmerged = mean_of(seam_energies(study.sources.reshape(-1, 48, 48), mask))
    print(f"plain samples: {shown(plain)}; the faces themselves: {shown(unmerged)}", flush=True)
    rows = []
    for method, timesteps in (("kernel", TIMESTEPS), ("repaint", arguments.repaint)):
        for t in timesteps:
            rows.append(study.merge(method, t))
            print(" | ".join(cells(rows[-1], study)), flush=True)
    text = table(HEAD, [cells(row, study) for row in rows])
    text += f"\n\nSeam energy of {arguments.plain} samples that are not merged: {shown(plain)}; "
    text += f"of the {2 * arguments.pairs} faces themselves: {shown(unmerged)}."
    if arguments.out is not None:
        write_block(arguments.out, "table", text)
    if arguments.picture is not None:
        arguments.picture.write_bytes(encode_png(sheet(rows, study, arguments.steps)))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.merging",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--checkpoint", type=Path, default=BUNDLED, help="native checkpoint (the bundled one)")
    add("--work", type=Path, required=True, help="folder where sampled faces are kept")
    add("--out", type=Path, help="document with the mark 'table'")
    add("--picture", type=Path, help="the PNG to write")
    add("--pairs", type=int, default=40)
    add("--plain", type=int, default=100, help="samples that are not merged")
    add("--faces-seed", type=int, default=2, help="of synthetic faces unseen in training")
    add("--steps", type=int, default=250, help="of the whole way from T")
    add("--mask", choices=sorted(MASKS), default="left_right")
    add("--repaint", type=int, nargs="*", default=[500], help="its timesteps")
    add("--seed", type=int, default=0, help="of the noise")
    add("--batch", type=int, default=20, help="faces at once")
    add("--device", default="cpu", help="cpu or cuda")
    return parser.parse_args()


def cells(row: Row, study: Study) -> list[str]:
    abar = torch.cumprod(1 - study.checkpoint.betas.double(), 0)[row.t - 1].item()
    sigma = f"{(1 / abar - 1) ** 0.5:.2f}"
    head = [f"`{row.method}`", str(row.t), sigma, str(row.steps)]
    return [*head, shown(row.seam), shown(row.first), shown(row.second)]


def shown(estimate: Estimate) -> str:
    return f"{estimate.mean:.2f} ± {estimate.standard_error:.2f}"


def sheet(rows: Sequence[Row], study: Study, steps: int) -> Image.Image:
    """The first pairs, a row for each t."""
    pictures: list[Faces] = []
    for row in rows:
        for pair in range(SHOWN_PAIRS):
            pictures += [*study.sources[pair], row.images[pair]]
    names = [name for _ in range(SHOWN_PAIRS) for name in ("x(1)", "x(2)", "merged")]
    labels = [f"{row.method} t = {row.t}" for row in rows]
    title = f"Pairs of synthetic faces, merged by halves; ddpm, {steps} steps from T"
    return labelled_collage(np.stack(pictures), len(names), labels, names, title, group=3)


if __name__ == "__main__":
    main()
