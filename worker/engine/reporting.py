"""Run a `report` shard: a page, a PDF, a zip and a batch, of jobs that have succeeded."""

import json
from collections.abc import Mapping
from typing import Any

from jobs.artifacts import ArtifactStore
from jobs.contract import ArtifactRole
from jobs.works import FileReference, ReportedJob, ReportWork
from reports.making import make_report
from reports.material import CheckpointFile, MadeJob, Material, PictureFile
from worker.engine.shard import MadeFile, ShardRun
from worker.engine.stored_files import read_stored

PERCENT = 100
READ_PERCENT = 40  # of the whole: the files of the jobs
FILE_PERCENT = 15  # each file of the report, of which there are four
PICTURES = (ArtifactRole.COLLAGE, ArtifactRole.FIGURE)


class ReportRunner:
    """Reads what jobs made, and reports on it."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        """Read the files out of `artifacts`."""
        self._artifacts = artifacts

    def run(self, shard: ShardRun, work: ReportWork) -> list[MadeFile]:
        """Make the four files of a report.

        Raises:
            InterruptedShard: the consumer asked for it.
            ArtifactStoreError: a file cannot be read.
        """
        jobs = []
        for number, reported in enumerate(work.jobs, 1):
            jobs.append(self._read_job(shard, reported))
            shard.done = READ_PERCENT * number // len(work.jobs)
        material = Material(
            title=work.params.title,
            jobs=jobs,
            submitter=work.submitter,
            date=None if work.submitted_on is None else work.submitted_on.isoformat(),
        )
        made: list[MadeFile] = []
        report = make_report(material)
        while (file := shard.wait_for(lambda: next(report, None))) is not None:
            shard.done = READ_PERCENT + FILE_PERCENT * (len(made) + 1)
            made.append(MadeFile(ArtifactRole.REPORT, file.name, file.content, (), file.media_type))
            shard.between_steps()
        shard.done = PERCENT
        return made

    def _read_job(self, shard: ShardRun, reported: ReportedJob) -> MadeJob:
        pictures: list[PictureFile] = []
        arrays: dict[str, bytes] = {}
        metrics: Mapping[str, Any] = {}
        for file in reported.files:
            shard.between_steps()
            if file.role in PICTURES and file.media_type == "image/png":
                content = read_stored(self._artifacts, file.file)
                height, width = file.shape[:2]
                pictures.append(PictureFile(file.role, file.name, content, (width, height)))
            elif file.role is ArtifactRole.METRICS:
                metrics = self._read_metrics(file.file)
            elif file.role is ArtifactRole.SOURCES:
                arrays[file.name] = read_stored(self._artifacts, file.file)
        checkpoints = []
        for each in reported.checkpoints:
            shard.between_steps()
            content = read_stored(self._artifacts, each.file)
            checkpoints.append(
                CheckpointFile(
                    each.field, each.id, each.name, each.facts, each.file.sha256, content
                )
            )
        return MadeJob(
            id=reported.id,
            kind=reported.kind,
            name=reported.name,
            params=reported.params,
            seconds=reported.seconds,
            pictures=pictures,
            metrics=metrics,
            checkpoints=checkpoints,
            curves=reported.curves,
            arrays=arrays,
        )

    def _read_metrics(self, reference: FileReference) -> Mapping[str, Any]:
        """Figures as a job wrote them; what is no object of JSON says nothing."""
        read = json.loads(read_stored(self._artifacts, reference))
        return read if isinstance(read, Mapping) else {}
