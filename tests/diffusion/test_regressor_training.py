"""Training the age regressor: what is left out, exact resuming, early stopping, the errors by t."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch

from diffusion import linear_betas
from diffusion.aged_faces import AgedFaces, FacesWithAges
from diffusion.checkpoints import Checkpoint, load_regressor, save_checkpoint
from diffusion.errors import TrainingStateError
from diffusion.initialization import initialize
from diffusion.noise import Purpose, uniforms
from diffusion.regressor import AgeRegressor
from diffusion.regressor_description import describe_regressor
from diffusion.regressor_training import RegressorTraining
from diffusion.training_options import RegressorOptions, TrainingLimit
from diffusion.unet import UNet
from formats.architectures import identify
from formats.description import CheckpointDescription
from formats.errors import LengthMismatchError

OPTIONS = {"width": 4, "batch_size": 4, "seed": 3, "holdout_fraction": 0.2}
CPU = torch.device("cpu")


def predictor(width: int = 4) -> Checkpoint:
    network = UNet(width)
    initialize(network, 1)
    return Checkpoint(network, linear_betas(), CheckpointDescription("unet", width))


def bright_faces(count: int = 40, missing: int = 0, wrong: int = 0) -> FacesWithAges:
    """Faces whose brightness is their age; the first ones have none, or a wrong one."""
    ages = np.random.default_rng(0).integers(1, 100, count)
    faces = np.broadcast_to((ages * 2 + 20)[:, None, None], (count, 48, 48)).astype(np.uint8)
    ages = ages.copy()
    ages[:missing] = -1
    ages[missing : missing + wrong] = 101
    return FacesWithAges(np.ascontiguousarray(faces), ages)


@pytest.fixture
def new_training() -> Callable[..., RegressorTraining]:
    def make(steps: int = 10, data: FacesWithAges | None = None, **options) -> RegressorTraining:
        return RegressorTraining(
            data or bright_faces(),
            RegressorOptions(**OPTIONS | options),
            TrainingLimit(steps=steps),
            predictor=predictor(),
            dtype=torch.float32,
        )

    return make


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return list(network.state_dict().values())


def test_faces_without_a_possible_age_are_left_out_and_counted() -> None:
    data = bright_faces(40, missing=5, wrong=3)

    faces = AgedFaces(data, RegressorOptions(**OPTIONS), 1000, CPU)

    assert (faces.missing, faces.wrong) == (5, 3)
    assert faces.trained_on + faces.held_out == 32
    seen = np.concatenate([faces.ages_of(faces.batch(step)).numpy() for step in range(12)]) * 100
    assert set(np.rint(seen).astype(int)) <= set(data.ages[8:])


def test_each_face_keeps_its_age_however_it_is_moved() -> None:
    faces = AgedFaces(bright_faces(), RegressorOptions(**OPTIONS, shifts=3), 1000, CPU)

    batch = faces.batch(2)

    brightness = (batch.x_0.mean(dim=(1, 2, 3)) + 1) * 127.5
    assert torch.allclose((brightness - 20) / 200, faces.ages_of(batch), atol=1e-3)


def test_shifts_move_each_face_alone() -> None:
    ramp = np.broadcast_to(np.arange(48, dtype=np.uint8) * 5, (40, 48, 48))
    data = FacesWithAges(np.ascontiguousarray(ramp), np.full(40, 30))
    options = RegressorOptions(**OPTIONS | {"batch_size": 16}, shifts=2, horizontal_flips=False)

    columns = (AgedFaces(data, options, 1000, CPU).batch(0).x_0[:, 0, 0] + 1) * 127.5

    by = (columns[:, 24] / 5 - 24).round().int()
    assert set(by.tolist()) == {-2, -1, 0, 1, 2}
    assert torch.allclose(columns[:, 0], 5.0 * by.clamp(min=0), atol=1e-3)  # the border is repeated


@pytest.mark.parametrize(("power", "share"), [(1.0, 0.1), (2.5, 0.398)])
def test_low_noise_is_drawn_as_often_as_the_power_says(power: float, share: float) -> None:
    options = RegressorOptions(**OPTIONS | {"batch_size": 30}, timestep_power=power)
    faces = AgedFaces(bright_faces(), options, 1000, CPU)

    t = torch.cat([faces.batch(step).t for step in range(40)])

    assert (t < 100).float().mean().item() == pytest.approx(share, abs=0.02)
    assert t.max() >= 990


def test_a_share_of_the_timesteps_lies_evenly_over_the_first_tenth() -> None:
    options = RegressorOptions(
        **OPTIONS | {"batch_size": 20}, timestep_power=3, low_noise_share=0.5
    )
    faces = AgedFaces(bright_faces(), options, 1000, CPU)

    t = torch.stack([faces.batch(step).t for step in range(60)]).double()

    even, others = t[:, :10], t[:, 10:]
    for each in range(10):  # each of them has a tenth of T / 10 of its own
        assert ((even[:, each] // 10) == each).all()
    assert even.mean().item() == pytest.approx(49.5, abs=1)
    # The other half is spread as without a share: T·u³ is below T / 10 for 46 of 100.
    assert (others < 100).double().mean().item() == pytest.approx(0.1 ** (1 / 3), abs=0.02)
    assert others.mean().item() == pytest.approx(1000 / 4, rel=0.02)
    assert others.max() >= 950


def test_held_out_timesteps_are_spread_as_those_of_the_training() -> None:
    options = RegressorOptions(
        **OPTIONS | {"holdout_fraction": 0.5, "batch_size": 20}, low_noise_share=0.75
    )
    faces = AgedFaces(bright_faces(80), options, 1000, CPU)

    t = torch.cat([batch.t for batch in faces.held_out_batches()])

    assert len(t) == 40
    assert (t[:30] < 100).all()
    assert t.max() >= 700


def test_without_a_share_the_timesteps_are_those_of_the_power_alone() -> None:
    options = RegressorOptions(**OPTIONS, timestep_power=2.5, low_noise_share=0)

    t = AgedFaces(bright_faces(), options, 1000, CPU).batch(5).t

    within = uniforms(OPTIONS["seed"], [0], 5, 4, Purpose.TRAINING_TIMESTEP)[0]
    assert t.tolist() == (((np.arange(4) + within) / 4) ** 2.5 * 1000).astype(int).tolist()


def test_it_starts_from_the_noise_predictors_downward_half(new_training) -> None:
    training = new_training()

    ours = training.model.state_dict()
    theirs = predictor().model.state_dict()
    shared = [name for name in ours if name.startswith("dconv_down")]
    assert len(shared) == 16
    assert all(torch.equal(ours[name], theirs[name]) for name in shared)
    scratch = new_training(start="scratch").model.state_dict()
    assert not any(torch.equal(scratch[n], theirs[n]) for n in shared if n.endswith("weight"))
    # The time's 64 constant channels would drown the picture's one.
    first = scratch["dconv_down1.0.weight"]
    assert first[:, :1].std() > 20 * first[:, 1:].std()


def test_a_predictor_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="has width 8, but the options ask for width 4"):
        RegressorTraining(
            bright_faces(),
            RegressorOptions(**OPTIONS),
            TrainingLimit(steps=1),
            predictor=predictor(8),
        )


def test_faces_and_ages_of_different_length_are_refused() -> None:
    data = bright_faces()
    with pytest.raises(LengthMismatchError, match="40 faces and 39 ages"):
        AgedFaces(FacesWithAges(data.faces, data.ages[1:]), RegressorOptions(**OPTIONS), 9, CPU)


def test_it_learns_what_can_be_seen(new_training) -> None:
    training = new_training(120, bright_faces(200), learning_rate=3e-3, batch_size=16, shifts=0)
    for _ in training.run():
        pass

    low, *_, high = (float(np.abs(e.years).mean()) for e in training.held_out_errors())
    assert low < 12 < training.faces.predict_mean_error()
    assert low < high


@pytest.mark.parametrize("stopped_at", [3, 7])
def test_a_resumed_training_ends_with_the_same_weights(new_training, stopped_at: int) -> None:
    undisturbed, stopped, resumed = new_training(), new_training(), new_training()
    for _ in undisturbed.run():
        pass
    for _ in range(stopped_at):
        stopped.advance()

    resumed.load_state(stopped.save_state())
    for _ in resumed.run():
        pass

    for name in ("model", "averaged", "best"):
        found, expected = (weights(getattr(each, name)) for each in (resumed, undisturbed))
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert resumed.curves() == undisturbed.curves()


def test_a_state_of_other_ages_is_refused(new_training) -> None:
    data = bright_faces()
    others = FacesWithAges(data.faces, data.ages[::-1].copy())

    with pytest.raises(TrainingStateError, match="of another training: ages_sha256 is"):
        new_training(data=data).load_state(new_training(data=others).save_state())


def test_it_ends_early_when_nothing_gets_better_and_keeps_the_best(new_training) -> None:
    # Without a learning rate worth the name nothing improves after the first measurement.
    training = new_training(400, learning_rate=1e-12, patience=3)
    for _ in training.run():
        pass

    assert training.has_ended
    assert training.share < 1
    assert len(training.curves()["held_out_loss"]) <= 40


def test_the_weights_of_the_least_error_are_kept_not_those_of_the_least_loss(new_training) -> None:
    restless = {"seed": 4, "learning_rate": 0.02, "ema_decay": 0.5, "warmup_steps": 1}
    training, again = (new_training(60, **restless) for _ in range(2))
    for _ in training.run():
        pass
    curves = training.curves()
    best_at, worse_at = (
        min(curves[name], key=lambda point: point[1])[0]
        for name in ("held_out_mae", "held_out_loss")
    )

    while again.step < best_at:
        again.advance()

    assert best_at != worse_at
    kept, averaged = weights(training.best), weights(again.averaged)
    assert all(torch.equal(a, b) for a, b in zip(kept, averaged, strict=True))


def test_the_description_says_how_far_off_it_is(new_training, tmp_path) -> None:
    training = new_training(4, bright_faces(80, missing=2))
    for _ in training.run():
        pass
    errors = list(training.held_out_errors())
    described = describe_regressor(training, predictor(), "bright faces", errors)
    path = tmp_path / "regressor.safetensors"

    save_checkpoint(path, training.best, described, dtype=torch.float16)

    read = load_regressor(path)
    assert isinstance(read.model, AgeRegressor)
    mae = read.description.metrics["mae_by_tenth"]
    assert mae == [round(float(np.abs(e.years).mean()), 3) for e in errors]
    assert read.description.training["excluded_ages"] == {"missing": 2, "wrong": 0}
    twentieths = read.description.metrics["mse_by_twentieth"]
    assert read.squared_errors is not None
    assert read.squared_errors[24].item() == pytest.approx(twentieths[0])  # the part's middle
    assert read.squared_errors[74].item() == pytest.approx(twentieths[1], rel=0.02)
    assert json.dumps(read.description.metrics)


def test_its_tensors_are_told_from_the_noise_predictors() -> None:
    shapes = {name: tuple(w.shape) for name, w in AgeRegressor(16).state_dict().items()}

    assert identify(shapes) == ("age_regressor", 16)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shifts": 9}, "shifts must be within 0 and 8, not 9"),
        ({"timestep_power": 0.5}, "timestep_power must be within 1 and 10, not 0.5"),
        ({"low_noise_share": 1.0}, "low_noise_share must be within 0 and 1, 1 excluded, not 1.0"),
        ({"low_noise_share": -0.1}, "low_noise_share must be within 0 and 1, .* not -0.1"),
        ({"start": "nowhere"}, "start must be checkpoint or scratch"),
        ({"patience": 0}, "patience must be at least 1, or None, not 0"),
        ({"weight_decay": -1.0}, "weight_decay must be within 0 and 1"),
    ],
)
def test_options_outside_their_ranges_are_refused(wrong, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RegressorOptions(**wrong)
