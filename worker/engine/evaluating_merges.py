"""Figures of a merge: how visible its seam is, and what it kept of its sources, for each t."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from diffusion.metrics.estimate import Estimate
from diffusion.metrics.seams import HALF, correlations, has_seam, mean_of, seam_energies
from formats.faces import Faces
from jobs.artifacts import ArtifactStore
from jobs.works import EvaluatedJob
from worker.engine.merge_sources import load_mask
from worker.engine.stored_files import read_stored


def merge_figures(
    artifacts: ArtifactStore, job: EvaluatedJob, images: Faces, plain: Faces
) -> dict[str, Any]:
    """Figures of merged images.

    Args:
        artifacts: where sources and mask lie.
        job: the merge.
        images: merged, row by row, uint8 (rows · pairs, 48, 48).
        plain: faces that are not merged, uint8 (n, 48, 48), for the seam energy without a seam.

    Returns:
        `merge`: for each t the means over pairs of `seam_energy`, `correlation_first` and
        `correlation_second`, each {value, error}; `plain_seam_energy`, likewise; `figures`: the
        same as those of other evaluations. A mask without an edge has no seam energy (null), one
        that takes nothing of a face no correlation with it.

    Raises:
        ArtifactStoreError: sources or mask cannot be read, or are other files than are meant.
        FormatError: the mask is no gray PNG of a face's size.
    """
    params = job.merge
    assert params is not None
    assert job.sources is not None
    sources = np.load(io.BytesIO(read_stored(artifacts, job.sources)), allow_pickle=False)
    mask = load_mask(artifacts, params, job.mask).numpy()
    is_first, seam = mask >= HALF, has_seam(mask)
    rows = []
    for t, merged in zip(params.timesteps, np.split(images, len(params.timesteps)), strict=True):
        row: dict[str, Any] = {"t": t}
        row["seam_energy"] = _told(mean_of(seam_energies(merged, mask))) if seam else None
        for side, region in enumerate((is_first, ~is_first)):
            name = ("correlation_first", "correlation_second")[side]
            enough = np.count_nonzero(region) > 1
            kept = mean_of(correlations(merged, sources[:, side], region)) if enough else None
            row[name] = None if kept is None else _told(kept)
        rows.append(row)
    plain_seam = _told(mean_of(seam_energies(plain, mask))) if seam else None
    return {
        "images": len(images),
        "n": len(sources),
        "plain_faces": len(plain),
        "merge": rows,
        "plain_seam_energy": plain_seam,
        "figures": list(_figures(rows, plain_seam, len(sources))),
    }


def _told(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.mean, "error": estimate.standard_error}


def _figures(
    rows: list[dict[str, Any]], plain_seam: dict[str, float] | None, pairs: int
) -> Iterator[dict[str, Any]]:
    """As `diffusion.metrics.evaluation.Figure`; faces that are not merged give the floor."""
    for row in rows:
        for name, better in (
            ("seam_energy", "near the floor"),
            ("correlation_first", "higher"),
            ("correlation_second", "higher"),
        ):
            if row[name] is None:
                continue
            floor = plain_seam and plain_seam["value"] if name == "seam_energy" else None
            yield {
                "name": f"{name}_t_{row['t']}",
                "value": row[name]["value"],
                "standard_error": row[name]["error"],
                "floor": floor,
                "n": pairs,
                "better": better,
            }
