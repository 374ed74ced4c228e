"""How fast synthetic faces are drawn, beside a plain NumPy operation run in the same minute."""

import time
from collections.abc import Callable

import numpy as np

from synthetic import FACE_SIZE, synthetic_faces

FACES, ROUNDS = 1024, 4
PASSES = 4000
TOGETHER = 16  # faces that a pass of the plain operation goes over, as the renderer does


def measure() -> list[str]:
    """Draw and compute in turn, and give the lines of the report.

    Processor time, so that neither what else runs nor a second thread flatters or hurts.
    """
    seconds_per_face, seconds_per_pass = [], []
    a, b, c = np.random.default_rng(0).random((3, TOGETHER, FACE_SIZE**2), np.float32)
    synthetic_faces(TOGETHER, seed=0)
    for number in range(ROUNDS):
        seconds_per_face.append(_seconds(lambda seed=number: synthetic_faces(FACES, seed)) / FACES)
        blends = _seconds(lambda: [a + (b - a) * c for _ in range(PASSES)])
        seconds_per_pass.append(blends / (PASSES * TOGETHER))
    face, blend = min(seconds_per_face), min(seconds_per_pass)
    return [
        f"synthetic faces, one thread, best of {ROUNDS} times {FACES}: {1 / face:.0f} a second",
        f"a face takes as long as {face / blend:.0f} blends a + (b - a) * c of its size",
    ]


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    for line in measure():
        print(line)
