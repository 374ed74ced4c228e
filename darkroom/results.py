"""Save on this computer what a job made."""

import tempfile
import zipfile
from pathlib import Path

import click

from darkroom.client import Client


def save_results(client: Client, job_id: str, folder: Path) -> int:
    """Unpack all that a job made into `folder`, over files of the same name.

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
                    member.filename = member.filename.removeprefix(f"job-{job_id}/")
                    files.extract(member, folder)  # which never leaves the folder
                return len(members)
    except (OSError, zipfile.BadZipFile) as error:
        raise click.ClickException(f"cannot save job {job_id} in {folder}: {error}") from error
