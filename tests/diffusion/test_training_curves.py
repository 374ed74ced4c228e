"""Curves: few points, all of the training, the same however it was stopped."""

import json

import numpy as np

from diffusion.training_curves import MAX_POINTS, Curve


def test_few_values_are_kept_as_they_are() -> None:
    curve = Curve()
    for step in range(1, 6):
        curve.add(step, step / 10)

    assert curve.points == [[1, 0.1], [2, 0.2], [3, 0.3], [4, 0.4], [5, 0.5]]


def test_many_values_become_few_points_that_are_their_means() -> None:
    values = np.random.default_rng(0).uniform(size=5000)
    curve = Curve()
    for step, value in enumerate(values, start=1):
        curve.add(step, float(value))
        assert len(curve.points) < MAX_POINTS

    steps = np.array([point[0] for point in curve.points])
    assert len(steps) >= MAX_POINTS // 2
    assert len(set(np.diff([0, *steps]))) == 1
    width = int(steps[0])
    means = values[: steps[-1].astype(int)].reshape(-1, width).mean(axis=1)
    np.testing.assert_allclose([point[1] for point in curve.points], means, rtol=1e-12)
    assert 5000 - steps[-1] < width


def test_a_curve_through_json_goes_on_exactly() -> None:
    values = np.random.default_rng(1).uniform(size=1500)
    undisturbed, stopped = Curve(), Curve()
    for step, value in enumerate(values, start=1):
        undisturbed.add(step, float(value))
        stopped.add(step, float(value))
        if step % 77 == 0:
            stopped = Curve.from_dict(json.loads(json.dumps(stopped.to_dict())))

    assert stopped.to_dict() == undisturbed.to_dict()
