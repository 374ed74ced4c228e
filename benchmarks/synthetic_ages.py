"""How visible is age? Ridge regression on the pixels, and a small network, guess it.

`python -m benchmarks.synthetic_ages [MINUTES]`, not part of make bench: the network alone trains
for MINUTES (4 unless told) of one thread's own time, so that other work on the machine costs
patience and not accuracy.
"""

import argparse
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from synthetic import synthetic_faces

TRAINING, HELD_OUT = 40_000, 2_000
PENALTIES = (1.0, 10.0, 100.0, 1000.0, 3000.0)
AGES = ((1, 12), (13, 30), (31, 60), (61, 100))  # told apart in the table
BATCH = 64
PEAK_RATE = 3e-3

Bytes = NDArray[np.uint8]
Years = NDArray[np.int64]


def main() -> None:
    """Render the faces, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=4.0, help="of training")
    minutes = parser.parse_args().minutes
    torch.set_num_threads(1)
    train, held_out = synthetic_faces(TRAINING, seed=101), synthetic_faces(HELD_OUT, seed=102)
    guess = np.abs(50.5 - held_out[1]).mean()
    print(f"{TRAINING} faces to learn from, {HELD_OUT} to guess the age of: mean absolute error")
    print(f"  always 50.5 years             {guess:5.1f}")
    print(f"  ridge regression, 24x24       {ridge_error(*train, *held_out):5.1f}", flush=True)
    error, bands, seen = network_error(train, held_out, minutes)
    print(f"  network, {minutes:g} min, {seen:7d} seen {error:5.1f}")
    for name, years in bands.items():
        print(f"    aged {name:<24} {years:5.1f}")
    print(f"largest correlation of a pixel with age: {pixel_correlation(*train):.2f}")


def ridge_error(faces: Bytes, ages: Years, held_out: Bytes, held_out_ages: Years) -> float:
    """Least mean absolute error in years of ridge regressions over PENALTIES, on 24×24 pixels."""
    x, unseen = _quarter(faces), _quarter(held_out)
    gram, projected = x.T @ x, x.T @ (ages - 50.5)
    weights = [np.linalg.solve(gram + p * np.eye(len(gram)), projected) for p in PENALTIES]
    return min(float(np.abs(unseen @ w + 50.5 - held_out_ages).mean()) for w in weights)


def _quarter(faces: Bytes) -> NDArray[np.float64]:
    means = faces.reshape(-1, 24, 2, 24, 2).mean((2, 4)).reshape(len(faces), -1) / 127.5 - 1
    return np.concatenate([means, np.ones((len(faces), 1))], axis=1)


def pixel_correlation(faces: Bytes, ages: Years) -> float:
    """Largest absolute correlation of one pixel's gray with the age."""
    pixels = faces.reshape(len(faces), -1).astype(np.float64)
    pixels = (pixels - pixels.mean(0)) / pixels.std(0)
    years = (ages - ages.mean()) / ages.std()
    return float(np.abs(years @ pixels / len(years)).max())


def _network() -> nn.Module:
    def stage(inside: int, outside: int) -> list[nn.Module]:
        return [
            nn.Conv2d(inside, outside, 3, padding=1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
        ]

    return nn.Sequential(
        *(nn.Conv2d(1, 24, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU()),
        *(*stage(24, 24), nn.MaxPool2d(2)),
        *(*stage(24, 48), *stage(48, 48), nn.MaxPool2d(2)),
        *(*stage(48, 96), *stage(96, 96), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.2), nn.Linear(96 * 9, 1)),
    )


def network_error(
    train: tuple[Bytes, Years], held_out: tuple[Bytes, Years], minutes: float
) -> tuple[float, dict[str, float], int]:
    """Train for `minutes` of processor time.

    Returns:
        The mean absolute error in years, the same for each of AGES, and how many faces were seen.
    """
    torch.manual_seed(0)
    faces, years = (torch.from_numpy(a) for a in train)
    network = _network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch lacks it
    optimizer = torch.optim.AdamW(network.parameters(), PEAK_RATE, weight_decay=0.02)
    started, seen, order = time.process_time(), 0, torch.randperm(len(faces))
    while (part := (time.process_time() - started) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(20 * part + 0.01, 1) * np.cos(part * np.pi / 2) ** 2
        if seen % len(faces) + BATCH > len(faces):
            seen, order = seen + len(faces) - seen % len(faces), torch.randperm(len(faces))
        rows = order[seen % len(faces) :][:BATCH]
        images = _prepared(faces[rows])
        images = torch.where(torch.rand(len(rows), 1, 1, 1) < 0.5, images.flip(3), images)
        loss = functional.smooth_l1_loss(_guess(network, images), years[rows] / 50, beta=0.1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch lacks it
        optimizer.step()
        seen += len(rows)
    return *_errors(network, *held_out), seen


def _prepared(faces: Tensor) -> Tensor:
    return faces[:, None].float() / 127.5 - 1


def _guess(network: nn.Module, images: Tensor) -> Tensor:
    guess: Tensor = network(images)[:, 0] + 1
    return guess


def _errors(network: nn.Module, faces: Bytes, ages: Years) -> tuple[float, dict[str, float]]:
    network.eval()
    with torch.inference_mode():
        images = _prepared(torch.from_numpy(faces))
        guess = (_guess(network, images) + _guess(network, images.flip(3))) * 25
    missed = np.abs(guess.numpy() - ages)
    by_age = {
        f"{low} to {high}": float(missed[(low <= ages) & (ages <= high)].mean())
        for low, high in AGES
    }
    return float(missed.mean()), by_age


if __name__ == "__main__":
    main()
