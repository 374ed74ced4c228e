"""Quality of generated faces in figures; see docs/metrics.md."""

from diffusion.metrics.estimate import Estimate, bootstrap_error, split_floor
from diffusion.metrics.evaluation import Figure, evaluate_faces
from diffusion.metrics.frechet import frechet_distance
from diffusion.metrics.kernel import kid
from diffusion.metrics.neighbours import (
    Neighbours,
    PrecisionRecall,
    nearest_neighbour_sheet,
    nearest_neighbours,
    precision_recall,
)
from diffusion.metrics.pixels import (
    KolmogorovSmirnov,
    brightness_ks,
    contrast_ks,
    radial_power_spectrum,
    spectrum_deviation,
    spectrum_ratio,
)

__all__ = [
    "Estimate",
    "Figure",
    "KolmogorovSmirnov",
    "Neighbours",
    "PrecisionRecall",
    "bootstrap_error",
    "brightness_ks",
    "contrast_ks",
    "evaluate_faces",
    "frechet_distance",
    "kid",
    "nearest_neighbour_sheet",
    "nearest_neighbours",
    "precision_recall",
    "radial_power_spectrum",
    "spectrum_deviation",
    "spectrum_ratio",
    "split_floor",
]
