"""What is told of a checkpoint beside its file: its description, and what else its tensors hold."""

import json
from collections.abc import Mapping
from typing import Any

from formats.description import CheckpointDescription


def checkpoint_facts(
    description: CheckpointDescription, tensors: Mapping[str, Any]
) -> dict[str, Any]:
    """The description as JSON values, with `prior_components`: of its data prior, 0 for none."""
    facts: dict[str, Any] = json.loads(description.to_json())
    components = tensors.get("prior.components")
    return facts | {"prior_components": 0 if components is None else len(components)}
