"""Faces of one checkpoint by every sampler, measured: the table of docs/samplers.md.

    python -m benchmarks.samplers --checkpoint C --features F --work W --out docs/samplers.md

It goes on where it was broken off. Rows can be sampled by several processes at once (--rows);
the last call, without --rows, finds them and writes the table.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.documents import table, write_block
from benchmarks.precision import precision_table
from benchmarks.sampler_rows import ROWS, Faces, Row, RowSampler, Sampled
from diffusion import has_fast_bfloat16
from diffusion.features import load_feature_network
from diffusion.metrics import evaluate_faces
from formats.faces import load_faces
from synthetic import synthetic_faces

PRECISION_ROWS = ("dpmpp_2m-20-logsnr-data", "ddim-20-logsnr-data")
PRECISION_FACES = 500
FINEST_RINGS = 12  # of 24: details of 2 to 4 pixels
FIGURES = {
    "frechet_distance": ("Fréchet", 1, 2),
    "kernel_distance": ("KID × 1000", 1000, 1),
    "brightness_ks": ("brightness KS", 1, 3),
    "contrast_ks": ("contrast KS", 1, 3),
    "spectrum_deviation_db": ("spectrum, dB", 1, 2),
}


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    block, make = (
        ("precision", precision_check) if arguments.precision_check else ("table", measured_table)
    )
    text = make(arguments)
    print(text)
    if arguments.out is not None:
        write_block(arguments.out, block, text)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.samplers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, help="native checkpoint, with a data prior")
    add("--features", type=Path, required=True, help="checkpoint of the feature network")
    add("--work", type=Path, required=True, help="folder where sampled faces are kept")
    add("--out", type=Path, help="document with the marks 'table' and 'precision'")
    add("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    add("--faces", type=int, default=2000, help="per row")
    add("--ddpm-faces", type=int, default=300, help="per row of ddpm")
    add("--reference", type=Path, help="real faces (.npy, .npy.gz) in place of synthetic ones")
    add("--reference-seed", type=int, default=2, help="of synthetic faces unseen in training")
    add("--seed", type=int, default=0, help="of the noise")
    add("--batch", type=int, default=25, help="faces at once")
    add("--device", default="cpu", help="cpu or cuda")
    add("--threads", type=int, default=1, help="CPU threads")
    add("--precision-check", action="store_true", help="compare bfloat16 with float32 instead")
    return parser.parse_args()


def measured_table(arguments: argparse.Namespace) -> str:
    """Sample the rows and give the table; at its head what real faces get, for each N."""
    fast = has_fast_bfloat16(torch.device(arguments.device))
    sampler = make_sampler(arguments, torch.bfloat16 if fast else torch.float32)
    counts = {name: faces_of(ROWS[name], arguments) for name in arguments.rows}
    sampled = {name: sampler.sample(ROWS[name], count) for name, count in counts.items()}
    reference = reference_faces(arguments, 2 * max(counts.values()))
    network = load_feature_network(arguments.features)
    found = {
        name: evaluate_faces(faces, reference[: 2 * len(faces)], network)
        for name, (faces, _) in sampled.items()
    }
    floors = {len(sampled[name].faces): result for name, result in found.items()}
    rows = [
        ["real faces", "", "", str(n), "", *_cells(each, "floor")] for n, each in floors.items()
    ]
    rows += [_row(ROWS[name], sampled[name], result) for name, result in found.items()]
    titles = [title for title, _, _ in FIGURES.values()]
    head = ["sampler", "timesteps", "prior", "faces", "s per face", *titles, "fine detail"]
    return table(head, rows)


def precision_check(arguments: argparse.Namespace) -> str:
    """Sample two rows in both kinds of number and give the differences."""
    dtypes = (torch.bfloat16, torch.float32)
    low, full = (make_sampler(arguments, dtype) for dtype in dtypes)
    pairs: dict[str, tuple[Faces, Faces]] = {
        name: (
            low.sample(ROWS[name], PRECISION_FACES).faces,
            full.sample(ROWS[name], PRECISION_FACES).faces,
        )
        for name in PRECISION_ROWS
    }
    reference = reference_faces(arguments, arguments.faces)
    return precision_table(pairs, reference, load_feature_network(arguments.features))


def make_sampler(arguments: argparse.Namespace, dtype: torch.dtype) -> RowSampler:
    return RowSampler(
        arguments.checkpoint,
        arguments.work,
        seed=arguments.seed,
        batch=arguments.batch,
        device=arguments.device,
        dtype=dtype,
    )


def faces_of(row: Row, arguments: argparse.Namespace) -> int:
    count: int = arguments.ddpm_faces if row.sampler == "ddpm" else arguments.faces
    return count


def reference_faces(arguments: argparse.Namespace, count: int) -> Faces:
    if arguments.reference is None:
        return synthetic_faces(count, arguments.reference_seed)[0]
    faces = load_faces(arguments.reference)
    if len(faces) < count:
        raise ValueError(f"{arguments.reference} has {len(faces)} faces; {count} are needed")
    return faces[np.random.default_rng(0).permutation(len(faces))[:count]]


def _row(row: Row, sampled: Sampled, result: dict[str, Any]) -> list[str]:
    name = f"`{row.sampler}`, {row.steps} steps"
    count, seconds = str(len(sampled.faces)), f"{sampled.seconds_per_face:.3g}"
    return [name, row.timesteps, row.prior, count, seconds, *_cells(result, "value")]


def _cells(result: dict[str, Any], which: str) -> list[str]:
    figures = {figure["name"]: figure for figure in result["figures"]}
    cells = []
    for name, (_, scale, digits) in FIGURES.items():
        cell = f"{scale * figures[name][which]:.{digits}f}"
        if which == "value":
            cell += f" ± {scale * figures[name]['standard_error']:.{digits}f}"
        cells.append(cell)
    return [*cells, _mean_of_finest(result["spectrum_ratio"][which])]


def _mean_of_finest(ratios: Sequence[float]) -> str:
    return f"{np.mean(ratios[-FINEST_RINGS:]):.2f}"


if __name__ == "__main__":
    main()
