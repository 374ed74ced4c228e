"""What all submissions have in common: whose they are, and the key that makes them once."""

from typing import Any

from flask import g, request

from api.errors import FieldProblem, InvalidFieldsError, SubmitterMismatchError

MAX_KEY_CHARACTERS = 255
LOCAL = "local"  # who submits where no API keys are set
IDEMPOTENCY_KEY = {
    "Idempotency-Key": f"At most {MAX_KEY_CHARACTERS} printable ASCII characters: the same "
    "key and request give the same job, another request 409."
}
REPLAYED = "Idempotency-Replayed"


def submitter(asked_for: str | None, *, has_keys: bool) -> str:
    """Whose jobs these are; with API keys, the key decides.

    Raises:
        SubmitterMismatchError: the body names another than the key does.
    """
    known: Any = g.get("submitter", LOCAL)
    if not has_keys:
        return asked_for or str(known)
    if asked_for not in (None, known):
        raise SubmitterMismatchError(
            f"submitter: this API key submits as {known!r}, not as {asked_for!r}"
        )
    return str(known)


def idempotency_key() -> str | None:
    """The request's key, if it has one.

    Raises:
        InvalidFieldsError: it is none that can be kept.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None or (1 <= len(key) <= MAX_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        return key
    allowed = f"1 to {MAX_KEY_CHARACTERS} printable ASCII characters"
    message = f"the Idempotency-Key must have {allowed}; this one has {len(key)} characters"
    raise InvalidFieldsError(
        [FieldProblem(field="Idempotency-Key", message=message, value=len(key), allowed=allowed)]
    )
