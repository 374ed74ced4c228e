"""The judge of ages: its file, and what it must and must not depend on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diffusion import UNet, save_checkpoint
from diffusion.judge import AgeJudge, judged_ages, load_judge
from diffusion.metrics.ages import rank_correlation
from diffusion.train_judge import DEGRADED, HELD_OUT, degraded
from formats.age_judge import age_judge_shapes
from formats.architectures import AGE_JUDGE, identify
from formats.checkpoint import CheckpointDescription, read_checkpoint
from formats.errors import UnknownArchitectureError
from synthetic import synthetic_faces

BUNDLED = Path(__file__).parents[2] / "jobs" / "bundled" / "age-judge.safetensors"
UNSEEN_SEED = 77
N = 400


@pytest.fixture(scope="module")
def judge() -> AgeJudge:
    return load_judge(BUNDLED)[0]


@pytest.fixture(scope="module")
def metrics() -> Mapping[str, Any]:
    return read_checkpoint(BUNDLED)[1].metrics


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, np.ndarray]:
    return synthetic_faces(N, UNSEEN_SEED)


@pytest.mark.parametrize("width", [1, 5, 24])
def test_the_network_has_the_tensors_of_its_architecture(width: int) -> None:
    shapes = {name: tuple(t.shape) for name, t in AgeJudge(width).state_dict().items()}

    assert shapes == age_judge_shapes(width)
    assert identify(shapes) == (AGE_JUDGE.name, width)


def test_the_bundled_file_is_small_and_says_how_it_came_about() -> None:
    arrays, description = read_checkpoint(BUNDLED)

    assert BUNDLED.stat().st_size < 1.1e6
    assert sum(array.size for array in arrays.values()) == 483_489
    assert "python -m diffusion.train_judge" in description.training["command"]
    assert f"--steps {description.training['steps']} " in description.training["command"]
    assert "--steps 3000 " in description.training["initial"]["training"]["command"]
    assert description.dataset == "synthetic faces 0 to 39999 of seed 31"
    assert description.metrics["held_out_faces"] == HELD_OUT


def test_the_bundled_judge_sees_ages_as_well_as_its_description_says(
    judge: AgeJudge, metrics: Mapping[str, Any], people
) -> None:
    faces, ages = people

    errors = judged_ages(judge, faces) - ages

    assert metrics["mae_years"] < 6.5
    assert max(abs(bias) for bias in metrics["bias_by_decade"]) <= 4
    assert np.abs(errors).mean() == pytest.approx(metrics["mae_years"], rel=0.15)
    assert errors.mean() == pytest.approx(metrics["bias_years"], abs=1.5)


@pytest.mark.parametrize("name", ["blurred", "noisy"])
def test_soft_and_noisy_faces_look_neither_young_nor_old(
    judge: AgeJudge, metrics: Mapping[str, Any], people, name: str
) -> None:
    faces, ages = people

    found = judged_ages(judge, degraded(faces, *DEGRADED[name]))

    assert (found - ages).mean() == pytest.approx(metrics[f"{name}_bias_years"], abs=1.5)
    assert abs((found - ages).mean()) < 2.5
    correlation = rank_correlation(found, ages.astype(float))
    assert correlation is not None
    assert correlation > 0.9


def test_ages_depend_on_neither_batch_nor_order_nor_the_mirror(judge: AgeJudge, people) -> None:
    faces, _ = people

    found = judged_ages(judge, faces)

    assert found.dtype == np.float64
    assert found.shape == (N,)
    assert judged_ages(judge, faces[:7]) == pytest.approx(found[:7], abs=1e-3)
    assert judged_ages(judge, faces[:50][::-1])[::-1] == pytest.approx(found[:50], abs=1e-3)
    assert judged_ages(judge, faces[:50, :, ::-1]) == pytest.approx(found[:50], abs=1e-3)
    assert np.array_equal(judged_ages(judge, faces[:50]), judged_ages(judge, faces[:50]))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.safetensors", UNet(2), CheckpointDescription("unet", 2))

    with pytest.raises(UnknownArchitectureError, match="a judge must be an age_judge, not a unet"):
        load_judge(tmp_path / "c.safetensors")


def test_wrong_arguments_are_refused(judge: AgeJudge, people) -> None:
    with pytest.raises(ValueError, match="width must be at least 1, not 0"):
        AgeJudge(0)
    with pytest.raises(ValueError, match=r"N at least 1, not uint8 \(0, 48, 48\)"):
        judged_ages(judge, people[0][:0])
    with pytest.raises(ValueError, match="must be in evaluation mode"):
        judged_ages(AgeJudge(1), people[0][:1])


def test_a_network_starts_as_its_strided_convolutions_alone() -> None:
    torch.manual_seed(0)
    network = AgeJudge(3).eval()
    x = torch.rand(2, 6, 12, 12)

    assert torch.allclose(network.block2(x), torch.nn.functional.silu(x))
