from typing import Annotated, Literal

import pytest
from pydantic import Field, TypeAdapter

from api.allowed import describe, known_fields, schema_at
from jobs.contract import Contract


class Sides(Contract):
    left: int = Field(ge=1, le=9)


class Paint(Contract):
    kind: Literal["paint"]
    tones: list[float] = Field(default_factory=list)
    sides: Sides
    share: float = Field(0.5, gt=0, lt=1)
    is_dark: bool = False


class Print(Contract):
    kind: Literal["print"]
    paper: str | None = Field(None, min_length=2, max_length=5, pattern="^[a-z]+$")
    ink: list[int | Sides | None] = Field(min_length=1, max_length=3)
    copies: int = Field(1, gt=0, lt=10)


Work = Annotated[Paint | Print, Field(discriminator="kind")]
SCHEMA = TypeAdapter(Work).json_schema()


@pytest.mark.parametrize(
    ("location", "field", "words"),
    [
        (("paint", "sides", "left"), "sides.left", "an integer from 1 to 9"),
        (("paint", "share"), "share", "a number above 0 and below 1"),
        (("paint", "tones"), "tones", "a list of values, each a number"),
        (("paint", "tones", 3), "tones.3", "a number"),
        (("paint", "is_dark"), "is_dark", "true or false"),
        (("paint", "sides"), "sides", "an object"),
        (("print", "kind"), "kind", '"print"'),
        (("print", "copies"), "copies", "an integer above 0 to 9"),
        (
            ("print", "ink"),
            "ink",
            "a list of 1 to 3 values, each an integer or an object with left or null",
        ),
        (
            ("print", "ink", 1, "int"),
            "ink.1",
            "an integer or an object with left or null",
        ),
        (("print", "ink", 1, "Sides", "left"), "ink.1.left", "an integer from 1 to 9"),
        (("print", "paper"), "paper", "a text of 2 to 5 characters that matches ^[a-z]+$ or null"),
    ],
)
def test_what_is_allowed_is_said_in_words(
    location: tuple[str | int, ...], field: str, words: str
) -> None:
    node, path = schema_at(SCHEMA, location)

    assert node is not None
    assert (".".join(path), describe(node, SCHEMA)) == (field, words)


def test_an_unknown_field_has_no_schema() -> None:
    assert schema_at(SCHEMA, ("paint", "colour")) == (None, ["colour"])


def test_the_fields_of_a_member_of_the_union_are_known() -> None:
    node, path = schema_at(SCHEMA, ("print",))

    assert (known_fields(node), path) == (["kind", "paper", "ink", "copies"], [])
