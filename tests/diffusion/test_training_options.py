"""Options and limits: ranges, shares and the learning rate."""

from typing import Any

import pytest

from diffusion.training_options import TrainingLimit, TrainingOptions, learning_rate


def test_the_learning_rate_warms_up_and_falls_to_its_end() -> None:
    options = TrainingOptions(learning_rate=1.0, warmup_steps=100, final_learning_rate=0.02)

    assert learning_rate(options, 0, 0.0) == pytest.approx(0.01)
    assert learning_rate(options, 49, 0.0) == pytest.approx(0.5)
    assert learning_rate(options, 1000, 0.5) == pytest.approx(0.51)
    assert learning_rate(options, 5000, 1.0) == pytest.approx(0.02)


def test_a_short_training_is_warm_after_a_tenth_of_it() -> None:
    options = TrainingOptions(learning_rate=1.0, warmup_steps=300, final_learning_rate=1.0)

    assert learning_rate(options, 0, 0.0) == pytest.approx(1 / 300)
    assert learning_rate(options, 5, 0.05) == pytest.approx(0.5)
    assert learning_rate(options, 10, 0.1) == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 0}, "width must be at least 1, not 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, not 0.0"),
        ({"warmup_steps": 0}, "warmup_steps must be at least 1, not 0"),
        ({"final_learning_rate": 1.1}, "final_learning_rate must be within 0 and 1, not 1.1"),
        ({"gradient_norm": 0.0}, "gradient_norm must be positive, not 0.0"),
        ({"ema_decay": 1.0}, "ema_decay must be within 0 and 1, 1 excluded, not 1.0"),
        ({"min_snr_gamma": 0.0}, "min_snr_gamma must be positive, or None, not 0.0"),
        ({"holdout_fraction": 0.0}, "holdout_fraction must be positive, 1/2 at most, not 0.0"),
        ({"holdout_fraction": 0.6}, "holdout_fraction must be positive, 1/2 at most, not 0.6"),
        ({"seed": 2**64}, "seed must be within 0 and"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive, not nan"),
    ],
)
def test_an_option_outside_its_range_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("*", r"\*")):
        TrainingOptions(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "one limit of steps, images and minutes, not none"),
        (
            {"steps": 1, "minutes": 2.0},
            "one limit of .*, not steps, minutes",
        ),
        ({"steps": 0}, "steps must be positive, not 0"),
        ({"images": -1}, "images must be positive, not -1"),
        ({"minutes": float("inf")}, "minutes must be positive, not inf"),
    ],
)
def test_a_limit_is_one_positive_number(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingLimit(**values)


def test_the_share_is_that_of_the_one_limit() -> None:
    by_steps, by_images = TrainingLimit(steps=8), TrainingLimit(images=100)
    by_minutes = TrainingLimit(minutes=2)

    assert by_steps.share(2, 16, 1e9) == 0.25
    assert by_steps.share(9, 16, 0.0) == 1.0
    assert [by_images.share(step, 16, 1e9) for step in (0, 6, 7)] == [0, 6 / 7, 1]
    assert by_minutes.share(10**6, 16, 30.0) == 0.25
    assert by_minutes.share(0, 16, 200.0) == 1.0
    assert by_minutes.to_dict() == {"minutes": 2}
