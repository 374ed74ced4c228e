"""`darkroom restore`."""

import click
from sqlalchemy.exc import SQLAlchemyError

from darkroom.options import read_settings
from darkroom.schema import migrate
from jobs.artifacts import ArtifactStore
from jobs.backup import BackupError
from jobs.database import Database
from jobs.errors import JobError
from jobs.restoring import restore_backup
from jobs.settings import DatabaseSettings
from jobs.snapshots import SnapshotError


@click.command("restore")
@click.argument("place", metavar="BACKUP")
@click.option("--artifacts", help="Folder or URL of the artifact store.")
@click.option("--database", help="URL of the database.")
def command(place: str, artifacts: str | None, database: str | None) -> None:
    """Put BACKUP into an empty database and an empty artifact store; every hash is checked.

    Nothing is overwritten. What ran when the backup was made is queued again. A backup of SQLite
    can be put into PostgreSQL.
    """
    settings = read_settings(DatabaseSettings, database_url=database, artifacts_url=artifacts)
    opened = Database(settings.database_url)
    try:
        restore_backup(
            ArtifactStore(place),
            opened,
            ArtifactStore(settings.artifacts_url),
            migrate,
            lambda words: click.echo(words, err=True),
        )
    except (BackupError, SnapshotError, JobError, SQLAlchemyError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        opened.close()
