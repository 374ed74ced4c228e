"""Parameters as people type them: lists with commas, references and pairs of faces in words."""

import re
from collections.abc import Mapping
from typing import Any

OF_A_JOB = "job:"  # before the id of the job that makes what a parameter names
OF_AN_UPLOAD = "upload:"
SEPARATORS = re.compile(r"[\s,;]+")
MADE_FACE = re.compile(r"job:([^/]*)/(.*)")


def as_typed(value: object) -> str:
    """A parameter as a form's field holds it."""
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, Mapping):
        return _reference_as_typed(value)
    if isinstance(value, list):
        return ", ".join(_item_as_typed(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_list(text: str) -> list[str]:
    """`18, 40 60` → ["18", "40", "60"]."""
    return [each for each in SEPARATORS.split(text) if each]


def read_reference(text: str) -> str | dict[str, str]:
    """An id as it is; `job:ID` as a reference to what that job makes."""
    return {"job": text.removeprefix(OF_A_JOB)} if text.startswith(OF_A_JOB) else text


def read_pairs(text: str) -> list[list[Any]]:
    """`3-7, upload:ab-12, job:cd/4-9` → pairs of faces; what is no pair stays to be refused."""
    return [[_read_face(face) for face in pair.split("-")] for pair in read_list(text)]


def _read_face(text: str) -> Any:
    if text.startswith(OF_AN_UPLOAD):
        return {"upload": text.removeprefix(OF_AN_UPLOAD)}
    made = MADE_FACE.fullmatch(text)
    return {"job": made[1], "image": made[2]} if made else text


def _item_as_typed(item: object) -> str:
    if isinstance(item, list):
        return "-".join(as_typed(each) for each in item)
    return as_typed(item)


def _reference_as_typed(named: Mapping[str, Any]) -> str:
    if "upload" in named:
        return f"{OF_AN_UPLOAD}{named['upload']}"
    image = f"/{named['image']}" if "image" in named else ""
    return f"{OF_A_JOB}{named['job']}{image}"
