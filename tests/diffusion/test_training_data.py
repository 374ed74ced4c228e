"""Batches: order, mirrors, timesteps, and what is held out."""

import hashlib

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffusion.training_data import MAX_EVALUATED, MAX_HELD_OUT, TrainingFaces, stratified_timesteps
from diffusion.training_options import TrainingOptions

CPU = torch.device("cpu")


def numbered_faces(count: int) -> NDArray[np.uint8]:
    """Face i holds i in two bytes, on its left half; its right half is 255."""
    faces = np.full((count, 2, 4), 255, np.uint8)
    faces[:, 0, :2] = np.arange(count)[:, None] // 250
    faces[:, 1, :2] = np.arange(count)[:, None] % 250
    return faces


def numbers(x_0: Tensor) -> list[tuple[int, bool]]:
    """Of each face its number, and whether it is mirrored."""
    levels = ((x_0[:, 0] + 1) * 127.5).round().int()
    is_mirrored = levels[:, 0, 0] == 255
    levels = torch.where(is_mirrored[:, None, None], levels.flip(2), levels)
    found = (levels[:, 0, 0] * 250 + levels[:, 1, 0]).tolist()
    return list(zip(found, is_mirrored.tolist(), strict=True))


def make(count: int, held_out: float = 0.1, seed: int = 0, batch_size: int = 8) -> TrainingFaces:
    options = TrainingOptions(batch_size=batch_size, holdout_fraction=held_out, seed=seed)
    return TrainingFaces(numbered_faces(count), options, 1000, CPU)


def test_an_epoch_shows_every_face_once_and_the_next_in_another_order() -> None:
    faces = make(72 + 8)
    epochs = [
        [face for step in range(9) for face, _ in numbers(faces.batch(9 * epoch + step).x_0)]
        for epoch in range(2)
    ]

    assert sorted(epochs[0]) == sorted(epochs[1])
    assert len(set(epochs[0])) == 72
    assert epochs[0] != epochs[1]


def test_held_out_faces_are_never_trained_on_and_chosen_by_the_seed() -> None:
    faces, other = make(80), make(80, seed=1)
    trained = {face for step in range(9) for face, _ in numbers(faces.batch(step).x_0)}
    held_out = {face for batch in faces.held_out_batches() for face, _ in numbers(batch.x_0)}
    elsewhere = {face for batch in other.held_out_batches() for face, _ in numbers(batch.x_0)}

    assert held_out | trained == set(range(80))
    assert not held_out & trained
    assert (faces.held_out, faces.trained_on) == (8, 72)
    assert held_out != elsewhere


def test_half_of_the_faces_are_mirrored() -> None:
    faces = make(72 + 8)
    mirrored = [is_one for step in range(100) for _, is_one in numbers(faces.batch(step).x_0)]

    assert np.mean(mirrored) == pytest.approx(0.5, abs=0.07)


def test_no_face_is_mirrored_where_that_is_not_wanted() -> None:
    options = TrainingOptions(batch_size=8, horizontal_flips=False)
    faces = TrainingFaces(numbered_faces(40), options, 1000, CPU)

    assert not any(is_one for step in range(9) for _, is_one in numbers(faces.batch(step).x_0))


def test_a_batch_is_a_function_of_the_step() -> None:
    forward, backward = make(80), make(80)
    steps = [0, 3, 8, 9, 20]
    expected = {step: forward.batch(step) for step in steps}

    for step in reversed(steps):
        found = backward.batch(step)
        assert torch.equal(found.x_0, expected[step].x_0)
        assert torch.equal(found.t, expected[step].t)
        assert torch.equal(found.eps, expected[step].eps)
    assert not torch.equal(expected[0].eps, expected[9].eps)


def test_each_part_of_the_timesteps_gets_one_face() -> None:
    seen = torch.stack([stratified_timesteps(1, step, 10, 1000) for step in range(300)])

    assert torch.equal(seen // 100, torch.arange(10).expand(300, 10))


@pytest.mark.parametrize("batch_size", [16, 48, 1500])  # 1000 / 48 is no whole number
def test_every_timestep_is_drawn_as_often_as_any_other(batch_size: int) -> None:
    draws = 96_000 // batch_size
    seen = torch.cat([stratified_timesteps(3, step, batch_size, 1000) for step in range(draws)])
    counts = torch.bincount(seen, minlength=1000).double()

    assert len(counts) == 1000
    assert counts.min() > 48  # 96 are expected, with a deviation of at most 9.8
    assert counts.max() < 144
    assert counts[0] == pytest.approx(96, abs=40)
    assert counts[999] == pytest.approx(96, abs=40)


def test_held_out_batches_never_change_and_cover_all_timesteps() -> None:
    faces = make(400, held_out=0.25, batch_size=32)
    first, second = list(faces.held_out_batches()), list(faces.held_out_batches())
    t = torch.cat([batch.t for batch in first])

    assert [len(batch.t) for batch in first] == [32, 32, 32, 4]
    assert torch.equal(t // 10, torch.arange(100))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.x_0, b.x_0)
        assert torch.equal(a.eps, b.eps)
        assert torch.equal(a.t, b.t)


def test_held_out_timesteps_of_a_tenth_stay_within_it() -> None:
    faces = make(100)
    for tenth in range(10):
        [first, second] = faces.held_out_batches(tenth)
        t = torch.cat([first.t, second.t])
        assert torch.equal(t // 10, 10 * tenth + torch.arange(10))


def test_the_noise_of_held_out_faces_does_not_depend_on_the_batch_size() -> None:
    small, large = make(100, batch_size=4), make(100, batch_size=10)

    eps = torch.cat([batch.eps for batch in small.held_out_batches()])
    assert torch.equal(eps, next(large.held_out_batches()).eps)


def test_held_out_faces_are_limited_and_at_least_one() -> None:
    many, few = make(4000, held_out=0.5), make(10, held_out=0.001)

    assert many.held_out == MAX_HELD_OUT
    assert sum(len(batch.t) for batch in many.held_out_batches()) == MAX_EVALUATED
    assert few.held_out == 1


def test_the_hash_is_that_of_the_bytes() -> None:
    faces = numbered_faces(20)
    strided = np.asfortranarray(faces)

    made = TrainingFaces(strided, TrainingOptions(batch_size=8), 1000, CPU)

    assert made.sha256 == hashlib.sha256(faces.tobytes()).hexdigest()


def test_fewer_faces_than_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="one batch of 8 faces beside 1 held out, not 8 in all"):
        make(8)
