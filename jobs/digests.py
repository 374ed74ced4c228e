"""The SHA-256 of a body, as HTTP carries it: `Content-Digest: sha-256=:BASE64:` (RFC 9530)."""

import base64
import re

CONTENT_DIGEST = "Content-Digest"
CHUNK_BYTES = 2**20

_SHA_256 = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


def digest_header(sha256: bytes) -> str:
    """The header's value for these 32 bytes."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"


def parse_digest(header: str | None) -> bytes | None:
    """The 32 bytes of a header's `sha-256`, or None if it has none."""
    found = _SHA_256.search(header or "")
    if found is None:
        return None
    return base64.b64decode(found[1])
