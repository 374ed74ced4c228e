"""What a field may hold, in words, read off its JSON Schema."""

import json
from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]

WORDS = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
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
        fields.append(str(name))
        node = None if node is None else _child(node, name, schema)
    return node, fields


def describe(node: Schema, schema: Schema) -> str:
    """What a value of this schema is, as the end of "must be …"."""
    node = _resolved(node, schema)
    if "const" in node:
        return json.dumps(node["const"])
    if "enum" in node:
        return " or ".join(json.dumps(value) for value in node["enum"])
    if "anyOf" in node:
        return " or ".join(describe(member, schema) for member in node["anyOf"])
    kind = node.get("type", "object")
    if kind == "string":
        return f"a text{_length(node)}"
    return WORDS[kind] + _range(node)


def known_fields(node: Schema | None) -> list[str]:
    """The names of an object's fields."""
    return list((node or {}).get("properties", {}))


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
    words = ""
    if "minimum" in node:
        words = f" from {node['minimum']}"
    if "maximum" in node:
        words += f" to {node['maximum']}"
    if "exclusiveMinimum" in node:
        words = f" above {node['exclusiveMinimum']}{words}"
    if "exclusiveMaximum" in node:
        words += f" below {node['exclusiveMaximum']}"
    return words


def _length(node: Schema) -> str:
    least, most = node.get("minLength", 0), node.get("maxLength")
    words = "" if most is None else f" of {least} to {most} characters"
    return words + (f" that matches {node['pattern']}" if "pattern" in node else "")
