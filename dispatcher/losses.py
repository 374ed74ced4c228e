"""Take back the attempts that have fallen silent; one whose manifest is there has succeeded."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from dispatcher.outcome import Outcome
from dispatcher.recording import Recorder
from dispatcher.roster import Roster
from jobs import transitions
from jobs.artifacts import ArtifactStore
from jobs.contract import ErrorInfo
from jobs.errors import ArtifactStoreError
from jobs.messages import Manifest, Report, ReportStatus
from jobs.standings import Standings
from jobs.tables import Job, Shard
from jobs.views import unit_of
from jobs.workers import HeldShard

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SilentAttempt:
    """A held attempt that was not heard of for a whole lease."""

    shard_id: str
    job_id: str
    attempt: int
    worker: str
    manifest: Manifest | None


class LossWatch:
    """Finds silent attempts and takes them back."""

    def __init__(self, roster: Roster, artifacts: ArtifactStore, lease_seconds: float) -> None:
        """Leases last `lease_seconds` of silence."""
        self._roster = roster
        self._artifacts = artifacts
        self._lease_seconds = lease_seconds

    def find_silent(self, held: Sequence[HeldShard]) -> list[SilentAttempt]:
        """Held attempts whose lease has run out, with the manifest if they finished unheard."""
        silent = []
        for shard in held:
            worker = shard.holder
            if not self._is_silent(shard.id, shard.attempt, worker):
                continue
            try:
                manifest = self._artifacts.read_manifest(
                    shard.job_id, shard.id, shard.attempt, worker
                )
            except ArtifactStoreError as error:  # it cannot be known yet: ask again next time
                log.warning("cannot look for the manifest of shard %s: %s", shard.id, error)
                continue
            silent.append(SilentAttempt(shard.id, shard.job_id, shard.attempt, worker, manifest))
        return silent

    def _is_silent(self, shard_id: str, attempt: int, worker: str) -> bool:
        return self._roster.silent_seconds(shard_id, attempt, worker) > self._lease_seconds

    def take_back(
        self,
        session: Session,
        silent: Sequence[SilentAttempt],
        recorder: Recorder,
        outcome: Outcome,
        max_losses: int,
    ) -> None:
        """Record the finished ones as succeeded, and queue or fail the others."""
        for attempt in silent:
            if not self._is_silent(attempt.shard_id, attempt.attempt, attempt.worker):
                continue  # heard among the messages of this pass
            shard = session.get_one(Shard, attempt.shard_id, populate_existing=True)
            job = session.get_one(Job, shard.job_id)
            if attempt.manifest is not None:
                report = _success(attempt, attempt.manifest, shard)
                standings = Standings(session, [shard.id])
                recorder.record_report(session, report, outcome, standings)
                continue
            error = ErrorInfo(
                code="worker_lost",
                message=(
                    f"worker {attempt.worker} was silent for {self._lease_seconds:g} s "
                    f"at {shard.done} of {shard.total} {unit_of(job)}"
                ),
                details={
                    "worker": attempt.worker,
                    "attempt": attempt.attempt,
                    "step": shard.saved_step,
                },
            )
            if transitions.take_back(session, shard, error, max_losses):
                log.warning("shard %s is taken back: %s", shard.id, error.message)
                outcome.touch(attempt.job_id, is_change=True)


def _success(attempt: SilentAttempt, manifest: Manifest, shard: Shard) -> Report:
    return Report(
        worker=attempt.worker,
        job_id=attempt.job_id,
        shard_id=attempt.shard_id,
        attempt=attempt.attempt,
        seq=shard.seq + 1,
        saved_step=shard.saved_step,
        status=ReportStatus.SUCCEEDED,
        done=manifest.done,
        artifacts=manifest.artifacts,
        running=[],
    )
