import json

import pytest

from formats.description import MAX_JSON_LENGTH, CheckpointDescription
from formats.errors import BadDescriptionError


def test_the_defaults_are_the_course_schedule() -> None:
    description = CheckpointDescription("unet", 64)

    assert (description.timesteps, description.beta_start, description.beta_end) == (
        1000,
        1e-4,
        0.01,
    )


def test_a_description_survives_json() -> None:
    description = CheckpointDescription(
        "unet",
        32,
        timesteps=500,
        beta_start=2e-4,
        beta_end=0.02,
        dataset="synthetic",
        training={"steps": 1000, "losses": [0.5, 0.25], "note": "θ and 🌒"},
        metrics={"distance": 0.125},
        source="trained here",
    )

    assert CheckpointDescription.from_json(description.to_json()) == description


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"architecture": "vae"},
            "must be one of unet, age_regressor, age_judge, face_features, not 'vae'",
        ),
        ({"width": 0}, "width must be within 1 and 256, not 0"),
        ({"width": 257}, "not 257"),
        ({"width": "64"}, "width must be int, not str"),
        ({"width": True}, "width must be int, not bool"),
        ({"timesteps": 0}, "timesteps must be within 1"),
        ({"timesteps": 10**9}, "timesteps must be within 1"),
        ({"beta_start": 0}, "0 < beta_start"),
        ({"beta_start": 0.02}, "beta_start <= beta_end"),
        ({"beta_end": 1}, "beta_end < 1"),
        ({"beta_end": None}, "beta_end must be int or float, not NoneType"),
        ({"training": []}, "training must be dict, not list"),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
)
def test_wrong_fields_are_refused(change: dict[str, object], words: str) -> None:
    values = {"architecture": "unet", "width": 64} | change

    with pytest.raises(BadDescriptionError, match=words):
        CheckpointDescription.from_json(json.dumps(values))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[]", "must be a JSON object"),
        ("[" * 100_000, "not JSON"),
        ('{"architecture": "unet"}', "lacks the field 'width'"),
        ('{"architecture": "unet", "width": 64, "beta_end": NaN}', "NaN is not a number"),
        ('{"architecture": "unet", "width": 64, "metrics": {"a": 1' + "0" * 400 + "}}", "not JSON"),
        (" " * (MAX_JSON_LENGTH + 1), "characters at most"),
    ],
    ids=["empty", "list", "deep", "incomplete", "nan", "huge", "long"],
)
def test_texts_that_are_no_description_are_refused(text: str, words: str) -> None:
    with pytest.raises(BadDescriptionError, match=words):
        CheckpointDescription.from_json(text)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, "x" * MAX_JSON_LENGTH])
def test_what_could_not_be_read_again_is_not_written(value: object) -> None:
    description = CheckpointDescription("unet", 64, training={"loss": value})

    with pytest.raises(BadDescriptionError, match=r"not JSON|characters"):
        description.to_json()
