"""Which database a URL names; read by the settings, so that a wrong one ends a program's start."""

import importlib.util
from typing import Literal

ALLOWED_URLS = "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"


def backend_of(url: str) -> Literal["sqlite", "postgresql"]:
    """The database of this SQLAlchemy URL.

    Raises:
        ValueError: it is of another database or driver, or the driver is not installed.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest:
        return "sqlite"
    if scheme in ("postgresql", "postgresql+psycopg") and rest:
        if importlib.util.find_spec("psycopg") is None:
            raise ValueError(
                "PostgreSQL needs the driver psycopg: pip install 'darkroom[postgresql]'"
            )
        return "postgresql"
    raise ValueError(f"the database's URL must be {ALLOWED_URLS}, not of {scheme!r}")
