"""Save on this computer what a job made."""

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import click

from darkroom.client import Client


def _as_it_is(name: str) -> str:
    return name


def save_results(
    client: Client, job_id: str, folder: Path, rename: Callable[[str], str] = _as_it_is
) -> int:
    """Unpack all that a job made into `folder`, over files of the same name.

    Args:
        client: of the server.
        job_id: of a job that has succeeded.
        folder: made if it is absent.
        rename: gives a file's path below `folder` for its path in the zip.

    Returns:
        How many files were written.

    Raises:
        ServerError: there is no such job, or it has made nothing yet.
        click.ClickException: the folder cannot be written, or the zip is damaged.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            archive = Path(scratch) / "download.zip"
            client.download(job_id, archive)
            with zipfile.ZipFile(archive) as files:
                members = files.infolist()
                for member in members:
                    member.filename = rename(member.filename.removeprefix(f"job-{job_id}/"))
                    files.extract(member, folder)  # which never leaves the folder
                return len(members)
    except (OSError, zipfile.BadZipFile) as error:
        raise click.ClickException(f"cannot save job {job_id} in {folder}: {error}") from error
