"""Training: a loss that falls, start weights, exact resuming, limits, and what is measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffusion import training_loop as training_module
from diffusion.checkpoints import Checkpoint
from diffusion.errors import TrainingDivergedError
from diffusion.initialization import initialize
from diffusion.schedule import linear_betas
from diffusion.training import Training
from diffusion.training_description import describe_training
from diffusion.training_loop import EVALUATIONS
from diffusion.training_options import TrainingLimit, TrainingOptions
from diffusion.training_state import decode_state
from diffusion.unet import UNet
from formats.description import CheckpointDescription

Faces = Callable[..., NDArray[np.uint8]]

STEPS = 12
OPTIONS: dict[str, Any] = {
    "width": 4,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "warmup_steps": 5,
    "ema_decay": 0.9,
    "holdout_fraction": 0.1,
}


@pytest.fixture
def new_training(wavy_faces: Faces) -> Callable[..., Training]:
    """Makes a training on 40 faces, 4 held out: an epoch is 4 steps."""

    def make(
        limit: TrainingLimit | None = None, dtype: torch.dtype | None = None, **options: Any
    ) -> Training:
        limit = limit or TrainingLimit(steps=STEPS)
        return Training(wavy_faces(40), TrainingOptions(**OPTIONS | options), limit, dtype=dtype)

    return make


def assert_same_state(found: Training, expected: Training) -> None:
    """Weights, averages, moments, counters and curves are equal bit for bit; seconds may differ."""
    (tensors, values), (others, other_values) = (
        decode_state(each.save_state()) for each in (found, expected)
    )
    assert set(tensors) == set(others)
    assert {name for name in tensors if not torch.equal(tensors[name], others[name])} == set()
    del values["seconds"], other_values["seconds"]
    assert values == other_values


def test_the_loss_falls_and_the_average_follows(new_training: Callable[..., Training]) -> None:
    training = new_training(TrainingLimit(steps=60))
    at_first = training.averaged.conv_last.weight.clone()
    untrained = training.held_out_loss()

    losses = list(training.run())

    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:5])
    assert training.held_out_loss() < 0.8 * untrained
    assert training.images_seen == 60 * 8
    now, average = training.model.conv_last.weight, training.averaged.conv_last.weight
    assert (average - now).norm() < 0.5 * (at_first - now).norm()
    assert not torch.equal(average, now)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("stop", [1, 4, 5, 11])  # an epoch is 4 steps
def test_a_training_resumed_from_a_file_goes_on_bit_for_bit(
    new_training: Callable[..., Training], tmp_path: Path, dtype: torch.dtype, stop: int
) -> None:
    undisturbed, stopped = new_training(dtype=dtype), new_training(dtype=dtype)
    expected = list(undisturbed.run())
    found = [stopped.advance() for _ in range(stop)]
    path = tmp_path / "state.safetensors"
    path.write_bytes(stopped.save_state())
    del stopped

    resumed = new_training(dtype=dtype)
    resumed.load_state(path.read_bytes())
    found += list(resumed.run())

    assert found == expected
    assert_same_state(resumed, undisturbed)


def test_a_training_may_be_stopped_after_each_step_under_a_limit_of_images(
    new_training: Callable[..., Training],
) -> None:
    limit = TrainingLimit(images=5 * 8 - 3)
    undisturbed = new_training(limit)
    list(undisturbed.run())

    state = new_training(limit).save_state()
    for _ in range(5):
        resumed = new_training(limit)
        resumed.load_state(state)
        resumed.advance()
        state = resumed.save_state()

    assert resumed.share == 1
    assert_same_state(resumed, undisturbed)


def test_a_state_replaces_what_a_training_has_learned(
    new_training: Callable[..., Training],
) -> None:
    untouched, used = new_training(), new_training()
    start = used.save_state()
    for _ in range(3):
        used.advance()

    used.load_state(start)

    assert_same_state(used, untouched)
    assert list(used.run()) == list(untouched.run())


def test_a_training_keeps_its_precision_unless_another_is_asked_for(
    new_training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = new_training(dtype=torch.bfloat16).save_state()
    monkeypatch.setattr(training_module, "has_fast_bfloat16", lambda device: False)

    kept, asked = new_training(), new_training(dtype=torch.float32)
    for training in (kept, asked):
        assert training.dtype == torch.float32
        training.load_state(state)

    assert kept.dtype == torch.bfloat16
    assert asked.dtype == torch.float32


def test_another_seed_trains_another_network(new_training: Callable[..., Training]) -> None:
    first, other = new_training(), new_training(seed=1)

    assert first.advance() != other.advance()


def test_a_longer_limit_goes_on_from_a_shorter_one(new_training: Callable[..., Training]) -> None:
    short, long = new_training(TrainingLimit(steps=3)), new_training(TrainingLimit(steps=6))
    list(short.run())
    assert short.share == 1

    long.load_state(short.save_state())

    assert long.share == 0.5
    assert len(list(long.run())) == 3


def test_the_clock_decides_under_a_limit_of_minutes(
    new_training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def monotonic() -> float:
        nonlocal now
        now += 3.0
        return now

    monkeypatch.setattr(training_module, "monotonic", monotonic)
    training = new_training(TrainingLimit(minutes=0.5))
    training.advance()
    resumed = new_training(TrainingLimit(minutes=0.5))
    resumed.load_state(training.save_state())

    list(resumed.run())

    # A step takes 3 s and so does each evaluation; a step of 30 s / 40 or more brings one.
    assert resumed.step == 5
    assert resumed.seconds == 30
    assert resumed.images_per_second == pytest.approx(8 / 3)


def test_the_held_out_loss_is_measured_forty_times_at_even_steps(
    new_training: Callable[..., Training],
) -> None:
    training = new_training(TrainingLimit(steps=100))
    list(training.run())

    steps = [step for step, _ in training.curves()["held_out_loss"]]
    assert len(steps) == EVALUATIONS
    assert set(np.diff(steps)) == {2, 3}
    assert steps[-1] == 100
    assert training.curves()["held_out_loss"][-1][1] == training.held_out_loss()
    assert len(training.curves()["loss"]) == 100


def test_the_loss_of_all_timesteps_is_about_the_mean_of_its_tenths(wavy_faces: Faces) -> None:
    options = TrainingOptions(**OPTIONS | {"holdout_fraction": 0.5})
    training = Training(wavy_faces(160), options, TrainingLimit(steps=15))
    list(training.run())
    by_tenth = training.held_out_loss_by_tenth()

    assert len(by_tenth) == 10
    assert np.mean(by_tenth) == pytest.approx(training.held_out_loss(), rel=0.03)
    assert by_tenth[0] > by_tenth[-1]  # the less noise there is, the harder it is to tell


def test_a_loss_that_is_not_finite_stops_before_the_weights_are_spoilt(
    new_training: Callable[..., Training],
) -> None:
    training = new_training()
    training.advance()
    with torch.no_grad():
        training.model.conv_last.bias.fill_(torch.inf)
    before = training.save_state()

    with pytest.raises(TrainingDivergedError, match="after 1 steps the loss is inf") as raised:
        training.advance()

    assert raised.value.step == 1
    assert raised.value.loss == float("inf")
    assert "learning rate below" in str(raised.value)
    assert training.save_state() == before


def test_min_snr_weights_only_shrink_the_loss_of_little_noise(
    new_training: Callable[..., Training],
) -> None:
    plain, weighted = new_training(), new_training(min_snr_gamma=5.0)
    x = weighted._weights

    assert weighted.advance() < plain.advance()
    assert torch.equal(x[183:], torch.ones(817))  # SNR = 5 at about t = 182
    assert bool((x[:180] < 1).all())
    assert x[0].item() == pytest.approx(5 * 1e-4, rel=0.01)


def test_fine_tuning_starts_from_the_weights_and_schedule_of_a_checkpoint(
    wavy_faces: Faces, unet: Callable[[int], UNet]
) -> None:
    betas = linear_betas(50, 1e-3, 0.2)
    model = UNet(4, 50)
    model.load_state_dict(unet(4).state_dict())
    description = CheckpointDescription("unet", 4, 50, 1e-3, 0.2, dataset="old")
    initial = Checkpoint(model, betas, description)
    options = TrainingOptions(**OPTIONS)

    tuned = Training(wavy_faces(40), options, TrainingLimit(steps=2), initial=initial)

    for name, value in model.state_dict().items():
        assert torch.equal(tuned.model.state_dict()[name], value)
        assert torch.equal(tuned.averaged.state_dict()[name], value)
    list(tuned.run())
    described = describe_training(tuned, "waves")
    assert (described.timesteps, described.beta_start, described.beta_end) == (50, 1e-3, 0.2)
    assert described.dataset.startswith("waves, sha256 ")
    assert described.training["initial_sha256"] == tuned.initial_sha256
    assert torch.equal(model.conv_last.weight, unet(4).conv_last.weight)  # left as it is


def test_an_initial_network_of_another_width_is_refused(wavy_faces: Faces) -> None:
    initial = Checkpoint(UNet(2), linear_betas(), CheckpointDescription("unet", 2))

    with pytest.raises(ValueError, match="has width 2, but the options ask for width 4"):
        Training(
            wavy_faces(40), TrainingOptions(**OPTIONS), TrainingLimit(steps=1), initial=initial
        )


def test_start_weights_keep_the_signal_and_make_the_picture_louder_than_time() -> None:
    model = UNet(32)
    initialize(model, seed=0)

    first = model.get_parameter("dconv_down1.0.weight")
    second = model.get_parameter("dconv_down2.2.weight")

    assert (first[:, :1].std() / first[:, 1:].std()).item() == pytest.approx(50, rel=0.2)
    assert second.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)
