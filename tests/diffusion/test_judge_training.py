"""Training the judge: it learns, repeats itself, and undoes its shrinkage."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion import train_judge
from diffusion.augmentation import cut_out, move, relight, turn
from diffusion.judge import judged_ages, load_judge
from diffusion.network_training import EpochOrder, rate_factor
from diffusion.noise import Purpose, uniforms
from diffusion.train_judge import JudgeTraining, JudgeTrainingOptions, augmented, measure
from formats.checkpoint import read_checkpoint, sha256_of
from formats.faces import from_unit_range
from synthetic import synthetic_faces

OPTIONS = JudgeTrainingOptions(batch_size=32, warmup_steps=5)


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, np.ndarray]:
    return synthetic_faces(256, 4)


def trained(people, steps: int, options: JudgeTrainingOptions = OPTIONS) -> JudgeTraining:
    training = JudgeTraining(*people, options, 4)
    for step in range(steps):
        training.advance(step / steps)
    return training


def test_the_loss_falls(people) -> None:
    training = JudgeTraining(*people, OPTIONS, 4)

    losses = [training.advance(step / 30) for step in range(30)]

    assert training.step == 30
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:10])


def test_equal_seeds_give_equal_networks_and_other_seeds_others(people) -> None:
    first, again, other = (
        trained(people, 4, replace(OPTIONS, seed=seed)).network.state_dict() for seed in (1, 1, 2)
    )

    for name, tensor in first.items():
        assert torch.equal(tensor, again[name]), name
    assert not torch.equal(first["age.weight"], other["age.weight"])


def test_finishing_takes_the_shrinkage_away(people) -> None:
    faces, ages = people

    judge = trained(people, 40).finish(faces, ages)

    slope, offset = np.polyfit(ages, judged_ages(judge, faces), 1)
    assert slope == pytest.approx(1, abs=0.02)  # the weights were rounded then
    assert offset == pytest.approx(0, abs=1)


def test_what_is_measured_is_by_decade_and_by_damage(people) -> None:
    faces, ages = people
    judge = trained(people, 2).finish(faces, ages)

    found = measure(judge, faces, ages)

    errors = judged_ages(judge, faces) - ages
    assert found["mae_years"] == pytest.approx(np.abs(errors).mean(), abs=0.01)
    assert len(found["bias_by_decade"]) == len(found["mae_by_decade"]) == 10
    last = errors[ages > 90].mean()
    assert found["bias_by_decade"][9] == pytest.approx(last, abs=0.01)
    assert found["blurred_bias_years"] != found["bias_years"]


def test_augmented_faces_repeat_and_differ_from_step_to_step(people) -> None:
    faces = people[0][:64]

    first, again, other = (augmented(faces, OPTIONS, step) for step in (7, 7, 8))

    assert first.shape == (64, 1, 48, 48)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.abs().max() < 2


def test_a_share_of_the_faces_is_only_moved(people) -> None:
    faces = people[0][:64]

    plain = augmented(faces, replace(OPTIONS, only_moved=1.0), 7)
    half = augmented(faces, replace(OPTIONS, only_moved=0.5), 7)

    assert from_unit_range(plain[:, 0].numpy()).tobytes() == moved_faces(faces, 7).tobytes()
    is_plain = (half == plain).flatten(1).all(1)
    assert 20 < int(is_plain.sum()) < 44


def moved_faces(faces: np.ndarray, step: int) -> np.ndarray:
    chance = uniforms(OPTIONS.seed, range(len(faces)), step, 3, Purpose.AUGMENTATION)
    return move(faces, chance[:, 0] < 1 / 2, chance[:, 1:])


def test_turning_and_relighting_by_nothing_changes_nothing() -> None:
    x = torch.rand(2, 1, 48, 48, generator=torch.Generator().manual_seed(0)) - 0.5
    nothing = torch.zeros(2, 2)

    assert torch.allclose(turn(x, nothing), x, atol=1e-5)
    assert torch.allclose(relight(x, nothing), x, atol=1e-6)


def test_turning_moves_the_edges_and_keeps_the_middle() -> None:
    x = torch.zeros(1, 1, 48, 48)
    x[0, 0, 23:25, 40:44] = 1

    turned = turn(x, torch.tensor([[1.0, 0.0]]))

    down = torch.arange(48) - 23.5
    rows = (turned[0, 0].sum(1) * down).sum() / turned.sum()
    assert abs(float(rows)) == pytest.approx(18 * np.sin(0.14), abs=0.3)


def test_relighting_multiplies_contrast_and_adds_brightness() -> None:
    x = torch.rand(1, 1, 48, 48, generator=torch.Generator().manual_seed(0)) * 0.4 - 0.2

    lit = relight(x, torch.tensor([[1.0, -0.5]]))

    assert float(lit.std() / x.std()) == pytest.approx(np.exp(0.3), rel=1e-3)
    assert float(lit.mean() - x.mean()) == pytest.approx(-0.1, abs=1e-3)


def test_a_square_is_cut_out() -> None:
    x = torch.rand(2, 1, 48, 48, generator=torch.Generator().manual_seed(0))

    cut = cut_out(x, torch.tensor([[0.5, 0.5, 0.25], [0.0, 0.5, 0.5]]))

    assert torch.equal(cut[1], x[1])
    assert torch.allclose(cut[0, 0, 20:28, 8:16], x[0].mean().expand(8, 8))
    assert int((cut[0] != x[0]).sum()) == 64


def test_each_row_comes_once_an_epoch_in_another_order() -> None:
    order = EpochOrder(10, 5, seed=1)

    first, second = (
        np.concatenate([order.rows(step) for step in pair]) for pair in [(0, 1), (2, 3)]
    )

    assert sorted(first) == sorted(second) == list(range(10))
    assert not np.array_equal(first, second)
    with pytest.raises(ValueError, match="at least one batch of 5 faces, not 4"):
        EpochOrder(4, 5, seed=1)


def test_the_rate_rises_and_falls() -> None:
    assert rate_factor(0, 4, 0) == pytest.approx(1 / 4)
    assert rate_factor(9, 4, 0.5) == pytest.approx(1 / 2)
    assert rate_factor(9, 4, 1) == pytest.approx(0)


def test_the_command_writes_a_checkpoint_that_says_how_to_make_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_judge, "HELD_OUT", 100)
    monkeypatch.setattr(train_judge, "CALIBRATION", 100)
    arguments = ["--steps", "3", "--width", "3", "--count", "70", "--data-seed", "5"]
    for name in ("first", "again"):
        monkeypatch.setattr(sys, "argv", ["train_judge", "--out", str(tmp_path / name), *arguments])
        train_judge.main()

    network, described = load_judge(tmp_path / "first")
    _, description = read_checkpoint(tmp_path / "first")

    assert described == description
    assert (tmp_path / "first").read_bytes() == (tmp_path / "again").read_bytes()
    assert network.width == 3
    assert description.training["command"] == (
        "python -m diffusion.train_judge --out OUT --steps 3 --width 3 --count 70 "
        "--data-seed 5 --seed 0 --threads 1 --learning-rate 0.003 --only-moved 0.0"
    )
    found = measure(network, *synthetic_faces(100, 5, 170))
    assert description.metrics["held_out_faces"] == 100
    assert description.metrics["mae_years"] == pytest.approx(found["mae_years"], rel=0.02)


def test_going_on_starts_from_what_the_judge_says_and_tells_whose_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_judge, "HELD_OUT", 100)
    monkeypatch.setattr(train_judge, "CALIBRATION", 100)
    first, second = (str(tmp_path / name) for name in ("first", "second"))
    short = ["--steps", "1", "--count", "70", "--data-seed", "5"]
    rests = ["--learning-rate", "0", "--initial", first]
    for more in (["--out", first, "--width", "3"], ["--out", second, *rests]):
        monkeypatch.setattr(sys, "argv", ["train_judge", *short, *more])
        train_judge.main()

    _, description = load_judge(second)

    assert description.width == 3
    assert description.training["initial"]["sha256"] == sha256_of(first)
    assert description.training["initial"]["training"]["steps"] == 1
    assert description.training["command"].endswith(" --initial INITIAL")


def test_a_finished_judge_in_training_units_says_the_same(people) -> None:
    faces, ages = people
    judge = trained(people, 2).finish(faces, ages)
    before = judged_ages(judge, faces[:9])

    training = JudgeTraining(faces, ages, OPTIONS, judge)

    raw = judged_ages(training.network.eval(), faces[:9]) / 100
    units = raw * train_judge.DEVIATION + train_judge.MIDDLE
    assert units * 100 == pytest.approx(before, abs=1e-2)
