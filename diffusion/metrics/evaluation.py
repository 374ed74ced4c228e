"""All figures of a set of generated faces, each beside what real faces get."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diffusion.features import FeatureNetwork, check_faces, features
from diffusion.metrics.estimate import Metric, Rows, bootstrap_error, split
from diffusion.metrics.frechet import MIN_FACES, frechet_distance
from diffusion.metrics.kernel import kid
from diffusion.metrics.neighbours import (
    MIN_TRAINING,
    Neighbours,
    flat_pixels,
    nearest_rows,
    precision_recall,
    share_error,
)
from diffusion.metrics.pixels import (
    brightness,
    contrast,
    kolmogorov_smirnov,
    power_spectra,
    spectrum_deviation,
)

Faces = NDArray[np.uint8]

_Rows = tuple[Rows, Rows, Rows]  # of generated faces, reference and others
_GENERATED, _OTHERS = 0, 2

_PART = 1000  # faces between two calls of the callback
_NEARER = 0.01  # quantile of real faces' distances to the training faces
# The work of the rest, in features read: rough, for the callback alone.
_STATISTICS = 3.0  # for each face
_SEARCHED = 3000  # training faces searched meanwhile


@dataclass(frozen=True)
class Figure:
    """One figure of an evaluation.

    Attributes:
        name: what it is; see docs/metrics.md.
        value: of the generated faces.
        standard_error: of the value.
        floor: what as many real faces get, compared with the same half of the reference.
        n: faces on each side.
        better: where a better model's value lies: "lower", "higher" or "near the floor".
    """

    name: str
    value: float
    standard_error: float
    floor: float
    n: int
    better: Literal["lower", "higher", "near the floor"]


@dataclass(frozen=True, eq=False)
class _Sets:
    """n generated faces, n real ones to compare with, and n other real ones for the floor."""

    generated: Faces
    reference: Faces
    others: Faces

    def mirrored(self) -> "_Sets":
        """The same faces in the mirror."""
        return _Sets(*(np.flip(each, axis=2) for each in vars(self).values()))

    def read(self, function: Callable[[Faces], Rows]) -> _Rows:
        """The function of each set."""
        return function(self.generated), function(self.reference), function(self.others)


def evaluate_faces(
    generated: Faces,
    reference: Faces,
    network: FeatureNetwork,
    *,
    training: Faces | None = None,
    seed: int = 0,
    callback: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Compare generated faces with real ones.

    Half of the reference is what the generated faces are compared with; as many real faces out
    of the other half are compared with it too and give each figure's floor. So the number n on
    each side is that of the generated faces or half the reference's, whichever is less.

    Args:
        generated: gray, uint8 (M, 48, 48), M at least 100.
        reference: real faces that the model has not seen, uint8 (N, 48, 48), N at least 200.
        network: whose features are compared.
        training: the faces that the model was trained on, at least 2, to look for copies.
        seed: of all random samples; the same arguments give the same figures.
        callback: is called with the share of the work that is done, up to 1.

    Returns:
        An object for JSON: `n`, `seed`, `figures` (a list of `Figure` as objects) and
        `spectrum_ratio` with the 24 ratios of `value` and of `floor`.

    Raises:
        ValueError: faces are not as above.
    """
    check_faces(generated, "generated faces", MIN_FACES)
    check_faces(reference, "reference faces", 2 * MIN_FACES)
    if training is not None:
        check_faces(training, "training faces", MIN_TRAINING)
    n = min(len(generated), len(reference) // 2)
    chosen = np.random.default_rng(seed).permutation(len(generated))[:n]
    one, other = split(len(reference), n, seed)
    sets = _Sets(generated[chosen], reference[one], reference[other])
    work = _Work(network, seed, callback)
    work.expect(n, 0 if training is None else len(training))
    rows = sets.read(work.features)
    figures = [*_of_features(rows, work), *_of_pixels(sets, work)]
    if training is not None:
        mirror = sets.mirrored()
        pixels, in_mirror = sets.read(flat_pixels), mirror.read(flat_pixels)
        figures += _of_neighbours("pixel", pixels, in_mirror, flat_pixels(training), work)
        in_mirror = mirror.read(work.features)
        figures += _of_neighbours("feature", rows, in_mirror, work.features(training), work)
    spectra = [spectrum.mean(0) for spectrum in sets.read(power_spectra)]
    work.advance(work.total)
    return {
        "n": n,
        "seed": seed,
        "figures": [asdict(figure) for figure in figures],
        "spectrum_ratio": {
            "value": (spectra[0] / spectra[1]).tolist(),
            "floor": (spectra[2] / spectra[1]).tolist(),
        },
    }


class _Work:
    """What all parts of an evaluation share, and how far it has come.

    Attributes:
        done: work done, in about the time that it takes to read one face's features.
        total: all of it.
    """

    def __init__(
        self, network: FeatureNetwork, seed: int, callback: Callable[[float], None] | None
    ) -> None:
        self.seed = seed
        self.done = self.total = 0.0
        self._network = network
        self._callback = callback

    def expect(self, n: int, training: int) -> None:
        """Take the total from the numbers of faces."""
        searches = 3 * n + training + 2 * n * training / _SEARCHED if training else 0
        self.total = 3 * n + _STATISTICS * n + searches

    def advance(self, amount: float) -> None:
        """Tell the caller."""
        self.done = min(self.done + amount, self.total)
        if self._callback is not None:
            self._callback(self.done / self.total)

    def features(self, faces: Faces) -> Rows:
        """Features, a part at a time."""
        parts = []
        for first in range(0, len(faces), _PART):
            parts.append(features(self._network, faces[first : first + _PART]))
            self.advance(len(parts[-1]))
        return np.concatenate(parts)

    def error(self, metric: Metric, a: Rows, b: Rows) -> float:
        """The metric's standard error."""
        return bootstrap_error(metric, a, b, seed=self.seed)


def _of_features(rows: _Rows, work: _Work) -> Iterator[Figure]:
    generated, reference, others = rows
    n = len(generated)
    distance = frechet_distance(generated, reference)
    error = work.error(frechet_distance, generated, reference)
    floor = frechet_distance(others, reference)
    yield Figure("frechet_distance", distance, error, floor, n, "lower")
    kernel, lowest = (kid(each, reference, seed=work.seed) for each in (generated, others))
    yield Figure("kernel_distance", *kernel, lowest.mean, n, "lower")
    work.advance(_STATISTICS * n / 2)
    found, best = (precision_recall(reference, each) for each in (generated, others))
    yield Figure("precision", found.precision, found.precision_error, best.precision, n, "higher")
    yield Figure("recall", found.recall, found.recall_error, best.recall, n, "higher")
    work.advance(_STATISTICS * n / 2)


def _of_pixels(sets: _Sets, work: _Work) -> Iterator[Figure]:
    read: dict[str, tuple[Callable[[Faces], Rows], Metric]] = {
        "brightness_ks": (brightness, _ks_statistic),
        "contrast_ks": (contrast, _ks_statistic),
        "spectrum_deviation_db": (power_spectra, spectrum_deviation),
    }
    for name, (function, metric) in read.items():
        generated, reference, others = sets.read(function)
        value, floor = metric(generated, reference), metric(others, reference)
        error = work.error(metric, generated, reference)
        yield Figure(name, value, error, floor, len(generated), "lower")


def _of_neighbours(
    what: str, rows: _Rows, mirrored: _Rows, training: Rows, work: _Work
) -> Iterator[Figure]:
    found, usual = (_search(rows[i], mirrored[i], training, work) for i in (_GENERATED, _OTHERS))
    n = len(rows[_GENERATED])
    share = found.copied_share
    error = share_error(share, n)
    yield Figure(f"{what}_copied_share", share, error, usual.copied_share, n, "near the floor")
    distances, of_others = found.distances[:, 0], usual.distances[:, 0]
    share = float((distances < np.quantile(of_others, _NEARER)).mean())
    error = share_error(share, n)
    yield Figure(f"{what}_nearer_share", share, error, _NEARER, n, "near the floor")
    median, floor = float(np.median(distances)), float(np.median(of_others))
    error = work.error(lambda a, _: float(np.median(a)), distances, of_others)
    yield Figure(f"{what}_nearest_median", median, error, floor, n, "near the floor")


def _search(rows: Rows, mirrored: Rows, training: Rows, work: _Work) -> Neighbours:
    parts = []
    for first in range(0, len(rows), _PART):
        part = slice(first, first + _PART)
        parts.append(nearest_rows(rows[part], mirrored[part], training))
        work.advance(len(rows[part]) * len(training) / _SEARCHED / 2)
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Neighbours(*(np.concatenate(column) for column in columns))


def _ks_statistic(a: Rows, b: Rows) -> float:
    return kolmogorov_smirnov(a, b).statistic
