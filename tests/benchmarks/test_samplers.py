"""The samplers' benchmark from its command line to the document, with networks of no skill."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import samplers
from benchmarks.documents import read_block
from benchmarks.precision import precision_table
from benchmarks.sampler_rows import ROWS, Row
from diffusion import DataPrior, UNet, save_checkpoint
from diffusion.features import FeatureNetwork
from formats.checkpoint import CheckpointDescription
from synthetic import synthetic_faces


@pytest.fixture
def network() -> FeatureNetwork:
    torch.manual_seed(0)
    return FeatureNetwork(2).eval()


def test_the_table_has_a_floor_and_a_line_for_each_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: FeatureNetwork
) -> None:
    torch.manual_seed(1)
    prior = DataPrior(torch.zeros(48, 48), torch.full((1, 48, 48), 1 / 48), torch.tensor([9.0]))
    description = CheckpointDescription("unet", 1)
    save_checkpoint(tmp_path / "c.safetensors", UNet(1), description, prior=prior)
    (tmp_path / "a.md").write_text("<!-- table -->\n<!-- /table -->\n")
    monkeypatch.setattr(samplers, "load_feature_network", lambda _: network)
    for row in (Row("ddpm", 2, "logsnr", "data"), Row("ddim", 1, "trailing", "standard")):
        monkeypatch.setitem(ROWS, row.name, row)
    monkeypatch.setattr(
        "sys.argv",
        [
            *("samplers", "--checkpoint", str(tmp_path / "c.safetensors"), "--features", "none"),
            *("--work", str(tmp_path), "--out", str(tmp_path / "a.md"), "--batch", "50"),
            *("--faces", "120", "--ddpm-faces", "100"),
            *("--rows", "ddpm-2-logsnr-data", "ddim-1-trailing-standard"),
        ],
    )

    samplers.main()

    lines = read_block(tmp_path / "a.md", "table").splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:4] for row in cells] == [
        ["real faces", "", "", "100"],
        ["real faces", "", "", "120"],
        ["`ddpm`, 2 steps", "logsnr", "data", "100"],
        ["`ddim`, 1 steps", "trailing", "standard", "120"],
    ]
    floor, found = float(cells[0][7]), float(cells[2][7].split(" ± ")[0])
    assert found > 2 * floor  # noise is not as bright as faces


def test_equal_faces_differ_in_no_figure_and_others_do(network: FeatureNetwork) -> None:
    faces, reference = synthetic_faces(120, 1)[0], synthetic_faces(120, 2)[0]
    darker = (faces * 0.8).astype(np.uint8)

    text = precision_table({"same": (faces, faces), "other": (darker, faces)}, reference, network)

    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    same = {row[1]: row for row in rows if row[0] == "same"}
    other = {row[1]: row for row in rows if row[0] == "other"}
    figures = [figure for figure in same if figure != "gray levels apart"]
    assert len(figures) == 6
    for figure in figures:
        assert float(same[figure][5]) == 0
        assert float(same[figure][6]) == 0
    assert float(other["brightness KS"][5]) > 3 * float(other["brightness KS"][6]) > 0
    lost = np.mean(faces) - np.mean(darker)
    assert float(other["mean gray level"][5]) == pytest.approx(-lost, rel=1e-3)
    assert same["gray levels apart"][5] == "0.000 in the mean, 0 at most"
