"""Saved states: what is damaged or of another training is refused."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffusion.errors import TrainingStateError
from diffusion.training import Training
from diffusion.training_options import TrainingLimit, TrainingOptions
from diffusion.training_state import decode_state, encode_state

Faces = Callable[..., NDArray[np.uint8]]


def test_tensors_and_values_come_back_as_they_were() -> None:
    tensors = {
        "a": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "step": torch.tensor(7.0),
    }

    found, values = decode_state(encode_state(tensors, {"step": 7, "seconds": 0.1 + 0.2}))

    assert values["seconds"] == 0.1 + 0.2
    assert set(found) == set(tensors)
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:50],
        lambda content: b"PK" + content[2:],
        lambda content: struct.pack("<Q", 2) + b"{}",
    ],
    ids=["empty", "cut by a byte", "cut in its header", "another format", "no metadata"],
)
def test_damaged_bytes_are_refused(damage: Callable[[bytes], bytes]) -> None:
    content = encode_state({"a": torch.ones(3)}, {"step": 1})

    with pytest.raises(TrainingStateError, match="no saved state of a training, or a damaged one"):
        decode_state(damage(content))


def test_another_version_is_refused() -> None:
    with pytest.raises(TrainingStateError, match="of version 3; this program reads 2"):
        decode_state(encode_state({"a": torch.ones(3)}, {"version": 3}))


@pytest.mark.parametrize(
    ("options", "seed_of_faces", "message"),
    [
        ({"batch_size": 5}, 0, "batch_size is 4 there and 5 here"),
        ({"width": 3}, 0, "width is 2 there and 3 here"),
        (
            {"seed": 1, "ema_decay": 0.5},
            0,
            "ema_decay is 0.999 there and 0.5 here; seed is 0",
        ),
        ({}, 1, "faces_sha256 is '[0-9a-f]{64}' there and '[0-9a-f]{64}' here"),
    ],
)
def test_the_state_of_another_training_is_refused(
    wavy_faces: Faces, options: dict[str, float], seed_of_faces: int, message: str
) -> None:
    first = {"width": 2, "batch_size": 4}
    limit = TrainingLimit(steps=3)
    saved = Training(wavy_faces(12), TrainingOptions(**first), limit)
    saved.advance()
    other = Training(wavy_faces(12, seed=seed_of_faces), TrainingOptions(**first | options), limit)

    with pytest.raises(TrainingStateError, match=f"of another training: .*{message}"):
        other.load_state(saved.save_state())
    assert other.step == 0
