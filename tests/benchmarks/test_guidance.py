"""The row of the table of guidance."""

import numpy as np
import pytest
import torch

from benchmarks.documents import table
from benchmarks.guidance import cells, head, measure_row
from diffusion import FeatureNetwork
from diffusion.judge import AgeJudge, judged_ages
from synthetic import synthetic_faces


def test_a_row_tells_judged_ages_cues_and_variety_and_fits_its_head() -> None:
    torch.manual_seed(0)
    judge, network = AgeJudge(2).eval(), FeatureNetwork(2).eval()
    faces, _ = synthetic_faces(16, 3)

    row = measure_row("none", {18.0: faces[:4], 80.0: faces[4:8]}, faces[8:], judge, network)

    assert [age["target"] for age in row.ages] == [18, 80]
    assert row.ages[1]["judged_mean"] == pytest.approx(judged_ages(judge, faces[4:8]).mean())
    assert all(np.isfinite(list(row.ratios.values())))
    lines = table(head(row), [cells(row)]).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[0].startswith(
        "| setting | judged at 18 | judged at 80 | MAE, years | ρ with target"
    )
    assert cells(row)[1].startswith(f"{row.ages[0]['judged_mean']:.1f} ± ")
