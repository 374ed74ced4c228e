"""What a field may hold, in words, read off its JSON Schema."""

import json
from collections.abc import Sequence
from typing import Any

from jobs.contract import NO_NUL

Schema = dict[str, Any]

WORDS = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "null": "null",
}


def schema_at(schema: Schema, path: Sequence[str | int]) -> tuple[Schema | None, list[str]]:
    """The schema of the field at `path`, and that path without the names of a union's members.

    Args:
        schema: JSON Schema (2020-12) with its `$defs`.
        path: pydantic's location of an error.

    Returns:
        None for a field that the schema does not know.
    """
    node: Schema | None = _resolved(schema, schema)
    fields: list[str] = []
    for name in path:
        members = (node or {}).get("discriminator", {}).get("mapping", {})
        if name in members:
            node = _resolved({"$ref": members[name]}, schema)
            continue
        if node is not None and _is_choice(node):
            node = schema["$defs"].get(name, node)
            continue
        fields.append(str(name))
        node = None if node is None else _child(node, name, schema)
    return node, fields


def choice_length(schema: Schema, path: Sequence[str | int]) -> int | None:
    """How long the beginning of `path` is that leads to a union without a discriminator."""
    for length in range(len(path)):
        node, _ = schema_at(schema, path[:length])
        if node is not None and _is_choice(node):
            return length
    return None


def fields_of_member(schema: Schema, member: str | int) -> list[str]:
    """The names of the fields of a union's member, as pydantic names it; none if it has none."""
    return known_fields(schema.get("$defs", {}).get(member))


def describe(node: Schema, schema: Schema) -> str:
    """What a value of this schema is, as the end of "must be …"."""
    node = _resolved(node, schema)
    if "const" in node:
        return json.dumps(node["const"])
    if "enum" in node:
        return " or ".join(json.dumps(value) for value in node["enum"])
    if "anyOf" in node:
        return " or ".join(_describe_member(member, schema) for member in node["anyOf"])
    kind = node.get("type", "object")
    if kind == "string":
        return f"a text{_length(node)}"
    if kind == "array":
        return f"a list of {_size(node)}, each {describe(node['items'], schema)}"
    return WORDS[kind] + _range(node)


def known_fields(node: Schema | None) -> list[str]:
    """The names of an object's fields."""
    return list((node or {}).get("properties", {}))


def _describe_member(node: Schema, schema: Schema) -> str:
    """The same of one of several things: of an object, its fields tell it from the others."""
    fields = known_fields(_resolved(node, schema))
    return f"an object with {' and '.join(fields)}" if fields else describe(node, schema)


def _is_choice(node: Schema) -> bool:
    """Whether it is a union whose members pydantic names in its locations."""
    members = [each for each in node.get("anyOf", ()) if each.get("type") != "null"]
    return len(members) > 1


def _resolved(node: Schema, schema: Schema) -> Schema:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def _child(node: Schema, name: str | int, schema: Schema) -> Schema | None:
    for member in [node, *node.get("anyOf", [])]:
        resolved = _resolved(member, schema)
        child = resolved.get("properties", {}).get(name)
        if child is None and isinstance(name, int):
            child = resolved.get("items")
        if child is not None:
            return _resolved(child, schema)
    return None


def _range(node: Schema) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    if "exclusiveMaximum" in node and node["type"] == "integer":
        most = node["exclusiveMaximum"] - 1
    words = [] if least is None else [f"from {least}"]
    if "exclusiveMinimum" in node:
        words.append(f"above {node['exclusiveMinimum']}")
    if most is not None:
        words.append(f"to {most}" if words else f"of at most {most}")
    elif "exclusiveMaximum" in node:
        words.append(f"{'and ' if words else ''}below {node['exclusiveMaximum']}")
    return "".join(f" {each}" for each in words)


def _size(node: Schema) -> str:
    least, most = node.get("minItems", 0), node.get("maxItems")
    if least == most:
        return f"{least} values"
    if most is None:
        return f"at least {least} values" if least else "values"
    return f"{least} to {most} values" if least else f"at most {most} values"


def _length(node: Schema) -> str:
    least, most = node.get("minLength", 0), node.get("maxLength")
    words = "" if most is None else f" of {least} to {most} characters"
    pattern = node.get("pattern")
    if pattern == NO_NUL:
        return f"{words}, no NUL among them"
    return words + (f" that matches {pattern}" if pattern else "")
