"""Synthetic faces by decade: `python -m benchmarks.synthetic_sheet OUT.png [SEED]`."""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from formats.pictures import collage, encode_png
from synthetic import synthetic_faces

PER_DECADE = 12
CANDIDATES = 600  # enough that every decade has its twelve


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the PNG to write")
    parser.add_argument("seed", nargs="?", type=int, default=7, help="which people (7)")
    arguments = parser.parse_args()
    chosen = by_decade(*synthetic_faces(CANDIDATES, arguments.seed))
    arguments.out.write_bytes(encode_png(collage(chosen, PER_DECADE)))


def by_decade(faces: NDArray[np.uint8], ages: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The first PER_DECADE faces aged 1 to 10, 11 to 20 … 91 to 100, in this order."""
    decades = (ages - 1) // 10
    return np.concatenate([faces[decades == decade][:PER_DECADE] for decade in range(10)])


if __name__ == "__main__":
    main()
