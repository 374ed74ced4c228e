"""bfloat16 beside float32: the same noise, the same reference, two kinds of number."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.documents import table
from diffusion.features import FeatureNetwork, features
from diffusion.metrics import bootstrap_error, frechet_distance, kid, spectrum_deviation
from diffusion.metrics.pixels import brightness, contrast, kolmogorov_smirnov, power_spectra

Faces = NDArray[np.uint8]
Rows = NDArray[np.float64]


def precision_table(
    pairs: dict[str, tuple[Faces, Faces]], reference: Faces, network: FeatureNetwork
) -> str:
    """Each figure's difference beside its standard error, in Markdown.

    Args:
        pairs: name of a row to its faces in bfloat16 and in float32, index by index.
        reference: real faces.
        network: whose features are compared.
    """
    readers: dict[str, tuple[Callable[[Faces], Rows], Callable[[Rows, Rows], float]]] = {
        "Fréchet distance": (lambda faces: features(network, faces), frechet_distance),
        "KID × 1000": (
            lambda faces: features(network, faces),
            lambda a, b: 1000 * kid(a, b).mean,
        ),
        "brightness KS": (lambda faces: brightness(faces)[:, None], _statistic),
        "contrast KS": (lambda faces: contrast(faces)[:, None], _statistic),
        "spectrum, dB": (power_spectra, spectrum_deviation),
    }
    rows = []
    for name, (low, full) in pairs.items():
        for figure, (read, metric) in readers.items():
            mine, theirs, real = read(low), read(full), read(reference)
            found, expected = metric(mine, real), metric(theirs, real)
            own = bootstrap_error(metric, theirs, real)
            error = _error_of_difference(metric, mine, theirs, real)
            cells = [f"{value:.3g}" for value in (expected, own, found, found - expected, error)]
            rows.append([name, figure, *cells])
        # Not in any figure above: all pictures a little darker or brighter.
        mine, theirs = brightness(low), brightness(full)
        error = np.std(mine - theirs, ddof=1) / np.sqrt(len(low))
        own = np.std(theirs, ddof=1) / np.sqrt(len(full))
        shown = (theirs.mean(), own, mine.mean(), (mine - theirs).mean(), error)
        rows.append([name, "mean gray level", *(f"{value:.4g}" for value in shown)])
        apart = np.abs(low.astype(int) - full.astype(int))
        distance = f"{apart.mean():.3f} in the mean, {apart.max()} at most"
        rows.append([name, "gray levels apart", "", "", "", distance, ""])
    head = ["row", "figure", "float32", "its error", "bfloat16", "difference", "error of that"]
    return table(head, rows)


def _error_of_difference(
    metric: Callable[[Rows, Rows], float], mine: Rows, theirs: Rows, real: Rows
) -> float:
    """By the bootstrap, the two faces of one noise always drawn together."""
    width = mine.shape[1]

    def difference(both: Rows, reference: Rows) -> float:
        return metric(both[:, :width], reference) - metric(both[:, width:], reference)

    return bootstrap_error(difference, np.hstack([mine, theirs]), real)


def _statistic(a: Rows, b: Rows) -> float:
    return kolmogorov_smirnov(a[:, 0], b[:, 0]).statistic
