"""The feature network: its file, what its features must and must not depend on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion import UNet, save_checkpoint
from diffusion.augmentation import degrade
from diffusion.features import FeatureNetwork, Readings, features, load_feature_network, read_faces
from diffusion.metrics import frechet_distance, kid
from diffusion.train_features import HELD_OUT, MIRRORED
from formats.architectures import FACE_FEATURES, identify
from formats.checkpoint import CheckpointDescription, read_checkpoint
from formats.errors import UnknownArchitectureError
from formats.faces import Faces, from_unit_range, to_unit_range
from formats.feature_network import HEADS, feature_network_shapes
from synthetic import ATTRIBUTES, synthetic_attributes, synthetic_faces

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "jobs" / "bundled" / "face-features.safetensors"
UNSEEN_SEED = 77
N = 400


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    return load_feature_network(BUNDLED)


@pytest.fixture(scope="module")
def faces() -> Faces:
    return synthetic_faces(2 * N, UNSEEN_SEED)[0]


@pytest.fixture(scope="module")
def readings(network: FeatureNetwork, faces: Faces) -> Readings:
    return read_faces(network, faces)


@pytest.mark.parametrize("width", [1, 5, 32])
def test_the_network_has_the_tensors_of_its_architecture(width: int) -> None:
    shapes = {name: tuple(t.shape) for name, t in FeatureNetwork(width).state_dict().items()}

    assert shapes == feature_network_shapes(width)
    assert identify(shapes) == (FACE_FEATURES.name, width)


def test_there_is_one_head_for_the_age_each_attribute_and_two_degradations() -> None:
    assert len(ATTRIBUTES) + 3 == HEADS
    assert set(MIRRORED) <= set(ATTRIBUTES)


def test_the_bundled_file_is_small_and_says_how_it_came_about() -> None:
    arrays, description = read_checkpoint(BUNDLED)

    assert BUNDLED.stat().st_size < 1.5e6
    assert description.architecture == FACE_FEATURES.name
    assert sum(array.size for array in arrays.values()) == 537_818
    assert f"--seed {description.training['seed']} " in description.training["command"]
    assert description.metrics["held_out_faces"] == HELD_OUT
    assert set(description.metrics) >= {"age_mae_years", *(f"r2_{name}" for name in ATTRIBUTES)}


def test_the_bundled_network_reads_faces_as_well_as_its_description_says(
    readings: Readings,
) -> None:
    _, description = read_checkpoint(BUNDLED)
    _, ages = synthetic_faces(2 * N, UNSEEN_SEED)
    known = synthetic_attributes(2 * N, UNSEEN_SEED)

    error = np.abs(readings.age.numpy() * 100 - ages).mean()
    assert error == pytest.approx(description.metrics["age_mae_years"], rel=0.15)
    assert error < 10
    unexplained = ((readings.attributes.numpy() - known) ** 2).mean(0) / known.var(0)
    for name, rest in zip(ATTRIBUTES, unexplained, strict=True):
        assert 1 - rest == pytest.approx(description.metrics[f"r2_{name}"], abs=0.15), name


def test_no_feature_outweighs_the_others_over_synthetic_faces(
    readings: Readings,
) -> None:
    found = readings.features.numpy()

    assert found.shape == (2 * N, 64)
    assert found.dtype == np.float64
    assert np.abs(found.mean(0)).max() < 0.7
    assert found.std(0).max() < 1.3
    assert found.var(0).mean() == pytest.approx(1, abs=0.2)


def test_features_depend_on_neither_batch_nor_order(network: FeatureNetwork, faces: Faces) -> None:
    few = faces[:50]

    found = features(network, few)

    assert features(network, few, batch=7) == pytest.approx(found, abs=1e-4)
    assert features(network, few[::-1])[::-1] == pytest.approx(found, abs=1e-4)


def degraded(faces: Faces, blur: float, noise: float) -> Faces:
    x = torch.from_numpy(to_unit_range(faces))[:, None]
    grain = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    amounts = torch.tensor([[blur, noise]]).expand(len(x), -1)
    return from_unit_range(degrade(x, amounts, grain)[:, 0].numpy())


def blurred(faces: Faces, amount: float) -> Faces:
    return degraded(faces, amount, 0)


def grainy(faces: Faces, amount: float) -> Faces:
    return degraded(faces, 0, amount)


def brighter(faces: Faces, levels: float) -> Faces:
    return np.clip(faces + levels, 0, 255).astype(np.uint8)


def mixed_with_stripes(faces: Faces, share: float) -> Faces:
    mixed = faces.copy()
    mixed[: round(share * len(faces)), ::2] = 128
    return mixed


@pytest.mark.parametrize(
    ("damage", "amounts"),
    [
        (blurred, (0.4, 1.0)),
        (grainy, (0.8, 2.0)),
        (brighter, (15, 40)),
        (mixed_with_stripes, (0.1, 0.5)),
    ],
)
def test_more_damage_is_further_away(
    network: FeatureNetwork,
    faces: Faces,
    readings: Readings,
    damage: Callable[[Faces, float], Faces],
    amounts: tuple[float, ...],
) -> None:
    rows = readings.features.numpy()
    few, own, reference = faces[:N], rows[:N], rows[N:]

    found = [own, *(features(network, damage(few, amount)) for amount in amounts)]
    frechet = [frechet_distance(each, reference) for each in found]
    kernel = [kid(each, reference, subsets=20).mean for each in found]

    assert frechet == sorted(frechet)
    assert frechet[1] > 1.05 * frechet[0]
    assert kernel == sorted(kernel)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.safetensors", UNet(2), CheckpointDescription("unet", 2))

    with pytest.raises(UnknownArchitectureError, match="face_features, not a unet"):
        load_feature_network(tmp_path / "c.safetensors")


def test_wrong_arguments_are_refused(network: FeatureNetwork, faces: Faces) -> None:
    with pytest.raises(ValueError, match="width must be at least 1, not 0"):
        FeatureNetwork(0)
    with pytest.raises(ValueError, match="batch must be at least 1, not 0"):
        features(network, faces, batch=0)
    with pytest.raises(ValueError, match=r"N at least 1, not uint8 \(0, 48, 48\)"):
        features(network, faces[:0])
    with pytest.raises(ValueError, match="not float32"):
        features(network, faces.astype(np.float32))  # type: ignore[arg-type]


def test_training_mode_changes_nothing(network: FeatureNetwork, faces: Faces) -> None:
    found = features(network, faces[:5])
    network.train()

    assert torch.equal(torch.from_numpy(features(network, faces[:5])), torch.from_numpy(found))
    network.eval()
