"""`darkroom backup`."""

import sys

import click
from sqlalchemy.exc import SQLAlchemyError

from darkroom.options import read_settings
from jobs.artifacts import ArtifactStore
from jobs.backup import BackupError, make_backup
from jobs.database import Database
from jobs.errors import JobError
from jobs.settings import DatabaseSettings
from jobs.snapshots import SnapshotError


@click.command("backup")
@click.argument("place", metavar="FOLDER")
@click.option("--artifacts", help="Folder or URL of the artifact store.")
@click.option("--database", help="URL of the database.")
def command(place: str, artifacts: str | None, database: str | None) -> None:
    """Copy the database and every file it names to FOLDER, an empty folder or URL.

    Everything may go on meanwhile. Run it on the computer of the database.
    """
    settings = read_settings(DatabaseSettings, database_url=database, artifacts_url=artifacts)
    opened = Database(settings.database_url)
    try:
        made = make_backup(
            opened,
            ArtifactStore(settings.artifacts_url),
            ArtifactStore(place),
            lambda words: click.echo(words, err=True),
        )
    except (BackupError, SnapshotError, JobError, SQLAlchemyError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        opened.close()
    click.echo(f"{place}: {len(made.files)} files and the database", err=True)
    for path in made.damaged:
        click.echo(f"not in the backup: {path} is missing or damaged in the store", err=True)
    if made.damaged:
        sys.exit(1)
