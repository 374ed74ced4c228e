"""Training the feature network: it learns, repeats itself, and keeps its heads' units."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion import augmentation, train_features
from diffusion.augmentation import degrade
from diffusion.features import load_feature_network, read_faces
from diffusion.train_features import (
    FeatureTraining,
    FeatureTrainingOptions,
    LabelledFaces,
    measure,
)
from formats.checkpoint import read_checkpoint
from synthetic import ATTRIBUTES, synthetic_attributes, synthetic_faces

OPTIONS = FeatureTrainingOptions(batch_size=32, warmup_steps=5, learning_rate=4e-3)


@pytest.fixture(scope="module")
def data() -> LabelledFaces:
    return LabelledFaces.render(256, seed=4)


def trained(data: LabelledFaces, steps: int, options: FeatureTrainingOptions) -> FeatureTraining:
    training = FeatureTraining(data, options, width=4)
    for step in range(steps):
        training.advance(step / steps)
    return training


def test_labels_are_age_in_hundreds_of_years_and_the_attributes(data: LabelledFaces) -> None:
    faces, ages = synthetic_faces(256, 4)

    assert np.array_equal(data.faces, faces)
    assert data.labels[:, 0] == pytest.approx(ages / 100)
    assert np.array_equal(data.labels[:, 1:], synthetic_attributes(256, 4))


def test_the_loss_falls(data: LabelledFaces) -> None:
    training = FeatureTraining(data, OPTIONS, width=4)

    losses = [training.advance(step / 50) for step in range(50)]

    assert training.step == 50
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:10])


def test_equal_seeds_give_equal_networks_and_other_seeds_others(data: LabelledFaces) -> None:
    first, again, other = (
        trained(data, 5, replace(OPTIONS, seed=seed)).network.state_dict() for seed in (1, 1, 2)
    )

    for name, tensor in first.items():
        assert torch.equal(tensor, again[name]), name
    assert not torch.equal(first["heads.weight"], other["heads.weight"])


def test_finishing_gives_heads_their_units_and_features_their_scale(data: LabelledFaces) -> None:
    training = trained(data, 10, OPTIONS)
    before = read_faces(training.network, data.faces)

    after = read_faces(training.finish(), data.faces)

    mean, deviation = data.labels.mean(0), data.labels.std(0)
    heads = torch.cat([before.age[:, None], before.attributes], 1).numpy() * deviation + mean
    assert after.age.numpy() == pytest.approx(heads[:, 0], abs=1e-5)
    assert after.attributes.numpy() == pytest.approx(heads[:, 1:], abs=1e-4)
    assert torch.equal(after.degradation, before.degradation)
    batches = [training._batch(10 + i)[0] for i in range(train_features.SCALING_BATCHES)]
    with torch.no_grad():
        degraded = training.network(torch.cat(batches)).features
    assert degraded.mean(0).numpy() == pytest.approx(np.zeros(64), abs=1e-3)
    assert degraded.std(0).numpy() == pytest.approx(np.ones(64), abs=1e-3)


def test_a_face_in_the_mirror_keeps_its_labels_but_those_with_a_side(
    data: LabelledFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    def batches(chance: float) -> tuple[torch.Tensor, torch.Tensor]:
        values = np.full((32, 5), 0.5)  # no shift, no blur, no noise
        values[:, 0] = chance
        real = train_features.uniforms
        monkeypatch.setattr(
            train_features,
            "uniforms",
            lambda *arguments: values if arguments[3] == 5 else real(*arguments),
        )
        found = FeatureTraining(data, OPTIONS, width=2)._batch(0)
        monkeypatch.undo()
        return found

    (faces, targets), (mirrored, of_mirrored) = batches(0.9), batches(0.1)

    assert torch.equal(mirrored, faces.flip(3))
    names = ("age", *ATTRIBUTES)
    mean, deviation = data.labels.mean(0), data.labels.std(0)
    for column, name in enumerate(names):
        values = targets[:, column].numpy() * deviation[column] + mean[column]
        others = of_mirrored[:, column].numpy() * deviation[column] + mean[column]
        sign = -1 if name in ("yaw", "light_x") else 1
        assert others == pytest.approx(sign * values, abs=1e-4), name
    assert torch.equal(targets[:, -2:], torch.zeros(32, 2))


def test_shifted_faces_stay_within_two_pixels(data: LabelledFaces) -> None:
    faces = data.faces[:25]
    chance = np.stack(np.meshgrid(np.linspace(0, 0.99, 5), np.linspace(0, 0.99, 5)), -1)

    moved = augmentation.move(faces, np.zeros(25, bool), chance.reshape(25, 2))

    for row, (right, down) in enumerate(np.ndindex(5, 5)):
        y, x = (down - 2, right - 2)
        inner = moved[row, 2:-2, 2:-2]
        assert np.array_equal(inner, faces[row, 2 + y : 46 + y, 2 + x : 46 + x])


def test_degradations_are_what_their_amounts_say() -> None:
    generator = torch.Generator().manual_seed(0)
    faces = torch.rand((3, 1, 48, 48), generator=generator)
    grain = torch.randn(faces.shape, generator=generator)

    found = degrade(faces, torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.5]]), grain)

    assert torch.equal(found[0], faces[0])
    line = torch.tensor(augmentation.BINOMIAL)
    by_hand = (line[:, None] * line * faces[1, 0, 10:15, 20:25]).sum()
    assert found[1, 0, 12, 22] == pytest.approx(float(by_hand), abs=1e-6)
    assert torch.allclose(found[2], faces[2] + 0.1 * grain[2], atol=1e-6)


def test_the_command_writes_a_checkpoint_that_says_how_to_make_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_features, "HELD_OUT", 300)
    monkeypatch.setattr(train_features, "SCALING_BATCHES", 2)
    arguments = ["--steps", "3", "--width", "3", "--count", "130", "--data-seed", "5"]
    for name in ("first", "again"):
        command = ["train_features", "--out", str(tmp_path / name), *arguments]
        monkeypatch.setattr(sys, "argv", command)
        train_features.main()

    network = load_feature_network(tmp_path / "first")
    _, description = read_checkpoint(tmp_path / "first")

    assert (tmp_path / "first").read_bytes() == (tmp_path / "again").read_bytes()
    assert network.width == 3
    assert description.training["steps"] == 3
    assert description.dataset == "synthetic faces 0 to 129 of seed 5"
    assert description.training["command"] == (
        "python -m diffusion.train_features --out OUT --steps 3 --width 3 --count 130 "
        "--data-seed 5 --seed 0 --threads 1"
    )
    held_out = LabelledFaces.render(300, 5, 130)
    found = measure(network, held_out)
    assert description.metrics["held_out_faces"] == 300
    for name, value in found.items():  # the file has half the precision
        assert description.metrics[name] == pytest.approx(value, rel=0.02, abs=0.02), name


def test_less_than_a_batch_of_faces_is_refused(data: LabelledFaces) -> None:
    with pytest.raises(ValueError, match="at least one batch of 300 faces, not 256"):
        FeatureTraining(data, FeatureTrainingOptions(batch_size=300), width=2)
