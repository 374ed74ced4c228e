"""Training: batches, learning rate, start weights, and a loss that falls."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion import Training, TrainingOptions, UNet, linear_betas, load_checkpoint, train
from diffusion.training import initialize, learning_rate, stratified_timesteps
from synthetic import synthetic_faces

OPTIONS = TrainingOptions(batch_size=16, learning_rate=2e-3, warmup_steps=5, ema_decay=0.9)


def new_training(width: int = 4) -> Training:
    faces, _ = synthetic_faces(64, seed=0)
    model = UNet(width)
    initialize(model, seed=0)
    return Training(model, linear_betas(), faces[:, ::2, ::2].copy(), OPTIONS)


def test_the_loss_falls_and_the_average_follows() -> None:
    training = new_training()
    at_first = training.averaged.conv_last.weight.clone()

    losses = [training.advance(step / 60) for step in range(60)]

    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])
    assert training.images_seen == 60 * 16
    now, average = training.model.conv_last.weight, training.averaged.conv_last.weight
    assert (average - now).norm() < 0.5 * (at_first - now).norm()
    assert not torch.equal(average, now)


def test_a_saved_training_goes_on() -> None:
    undisturbed, stopped, resumed = new_training(), new_training(), new_training()
    expected = [undisturbed.advance(0.5) for _ in range(6)][3:]
    for _ in range(3):
        stopped.advance(0.5)

    resumed.load_state_dict(stopped.state_dict())
    found = [resumed.advance(0.5) for _ in range(3)]

    assert resumed.step == 6
    assert found == pytest.approx(expected, rel=1e-3)


def test_each_part_of_the_timesteps_gets_one_picture() -> None:
    seen = torch.stack([stratified_timesteps(1, step, 10, 1000) for step in range(300)])

    assert torch.equal(seen // 100, torch.arange(10).expand(300, 10))
    assert seen.min() < 5
    assert seen.max() > 994


def test_the_learning_rate_warms_up_and_falls_to_its_end() -> None:
    options = TrainingOptions(learning_rate=1.0, warmup_steps=100, final_learning_rate=0.02)

    assert learning_rate(options, 0, 0.0) == pytest.approx(0.01)
    assert learning_rate(options, 49, 0.0) == pytest.approx(0.5)
    assert learning_rate(options, 1000, 0.5) == pytest.approx(0.51)
    assert learning_rate(options, 5000, 1.0) == pytest.approx(0.02)
    assert learning_rate(options, 5000, 1.3) == pytest.approx(0.02)


def test_start_weights_keep_the_signal_and_make_the_picture_louder_than_time() -> None:
    model = UNet(32)
    initialize(model, seed=0)

    first = model.get_parameter("dconv_down1.0.weight")
    second = model.get_parameter("dconv_down2.2.weight")

    assert (first[:, :1].std() / first[:, 1:].std()).item() == pytest.approx(50, rel=0.2)
    assert second.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)


def test_fewer_faces_than_a_batch_are_refused() -> None:
    faces, _ = synthetic_faces(15, seed=0)

    with pytest.raises(ValueError, match="at least one batch of 16 faces, not 15"):
        Training(UNet(4), linear_betas(), faces, OPTIONS)


def test_the_command_trains_saves_describes_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(minutes: str) -> tuple[str, ...]:
        arguments = ["train", "--out", str(tmp_path), "--width", "4", "--count", "64"]
        monkeypatch.setattr("sys.argv", [*arguments, "--minutes", minutes])
        train.main()
        lines = (tmp_path / train.LOSSES).read_text().split()
        return tuple(lines)

    first = run("0.01")
    second = run("0.03")

    description = load_checkpoint(tmp_path / train.CHECKPOINT).description.training
    assert len(first) == 1
    assert len(second) == 2
    assert int(second[1].split(",")[1]) > int(first[0].split(",")[1])
    assert description["images_seen"] == 64 * description["steps"]
    assert description["command"].startswith("python -m diffusion.train --out OUT --minutes 0.03")
    assert str(tmp_path) not in str(description)


def test_the_command_trains_on_a_file_of_faces_and_names_it_without_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces, _ = synthetic_faces(64, seed=3)
    np.save(tmp_path / "faces.npy", faces)
    options = ["--faces", str(tmp_path / "faces.npy"), "--width", "4", "--minutes", "0.001"]
    monkeypatch.setattr("sys.argv", ["train", "--out", str(tmp_path / "out"), *options])

    train.main()

    checkpoint = load_checkpoint(tmp_path / "out" / train.CHECKPOINT)
    sha256 = hashlib.sha256((tmp_path / "faces.npy").read_bytes()).hexdigest()
    assert checkpoint.description.dataset == f"faces.npy, sha256 {sha256}"
    assert "--faces faces.npy" in checkpoint.description.training["command"]
    assert str(tmp_path) not in checkpoint.description.to_json()
