"""Looks at every row after every move, and says what may never be."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from jobs.artifacts import attempt_folder
from jobs.messages import Heartbeat, Report, ReportStatus, ShardOrder
from jobs.sqlite import sqlite_module
from tests.dispatcher.simulation import LEASE, MAX_LOSSES, World

ENDED = {"succeeded", "failed", "canceled"}
Row = dict[str, Any]
Attempt = tuple[str, int, str]  # shard id, attempt, worker


class Witness:
    """Remembers what was said and what stood in the database, and compares."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._connection = sqlite_module().connect(str(world.database_path))
        self._said: dict[Attempt, dict[int, Report]] = {}
        self._heard_at: dict[Attempt, float] = {}
        self._leases_since = world.clock.now
        self._may_be_lost: set[Attempt] = set()
        self._succeeded: set[str] = set()
        self.jobs: dict[str, Row] = {}
        self.shards: dict[str, Row] = {}

    def close(self) -> None:
        self._connection.close()

    # What happens

    def note_said(self, report: Report) -> None:
        attempt = (report.shard_id, report.attempt, report.worker)
        self._said.setdefault(attempt, {})[report.seq] = report

    def note_leases_anew(self) -> None:
        self._leases_since = self._world.clock.now

    def note_departure(self, order: ShardOrder) -> None:
        """Nothing leaves that has ended, or that waits for another."""
        shard = self.shards[order.shard_id]
        assert shard["status"] == "queued", f"a shard that is {shard['status']} is sent"
        assert shard["attempt"] == order.attempt
        assert shard["sent_to"] is not None
        assert self.jobs[order.job_id]["status"] not in ENDED
        for parent in self._parents(order.job_id):
            assert self.jobs[parent]["status"] == "succeeded", "a child goes before its parent"
        if shard["kind"] == "assemble":
            others = [s for s in self._shards_of(order.job_id) if s["id"] != shard["id"]]
            assert {s["status"] for s in others} == {"succeeded"}

    @contextlib.contextmanager
    def watches(
        self, messages: Sequence[Report | Heartbeat | Any], has_read_all: bool
    ) -> Iterator[None]:
        """One decision: only a loss that was told of, or a whole lease of silence, may count."""
        now = self._world.clock.now
        for message in messages:
            if not isinstance(message, Report | Heartbeat):
                continue
            mentioned = {(s.shard_id, s.attempt, message.worker) for s in message.running}
            if isinstance(message, Report):
                mentioned.add((message.shard_id, message.attempt, message.worker))
                if message.status is ReportStatus.LOST:
                    self._may_be_lost.add((message.shard_id, message.attempt, message.worker))
            self._heard_at |= dict.fromkeys(mentioned, now)
        self._lost_now = set(self._may_be_lost)
        if has_read_all:
            self._lost_now |= {
                attempt
                for attempt in self._said
                if now - max(self._heard_at.get(attempt, 0.0), self._leases_since) > LEASE
            }
        yield
        self.look()

    # What may never be

    def look(self) -> None:
        """Read all rows, and compare them with what they were."""
        jobs, shards = self._read("jobs"), self._read("shards")
        for name, row in shards.items():
            self._check_shard(self.shards.get(name), row)
        for name, row in jobs.items():
            own = [shard for shard in shards.values() if shard["job_id"] == name]
            self._check_job(self.jobs.get(name), row, own)
        self.jobs, self.shards = jobs, shards
        self._check_artifacts()

    def _check_shard(self, before: Row | None, now: Row) -> None:
        assert now["losses"] < MAX_LOSSES or now["status"] in ENDED
        if before is None:
            assert (now["status"], now["attempt"]) == ("queued", 0)
            return
        if before["status"] in ENDED:
            assert now == before, "an ended shard has changed"
            return
        assert before["attempt"] <= now["attempt"] <= before["attempt"] + 1
        assert now["saved_step"] >= before["saved_step"]
        if now["attempt"] == before["attempt"] and before["holder"] is not None:
            assert now["holder"] in (before["holder"], None), "the holder was replaced"
        if now["losses"] > before["losses"] or self._failed_by_losses(now):
            attempts = {(now["id"], before["attempt"], w) for w in self._speakers(before)}
            assert attempts & self._lost_now, "a loss was counted that was none"
        if now["status"] == "succeeded":
            assert now["id"] not in self._succeeded
            self._succeeded.add(now["id"])
        self._check_words(now)

    def _failed_by_losses(self, now: Row) -> bool:
        if now["status"] != "failed":
            return False
        code = json.loads(now["error"])["code"]
        assert code == "bad" or now["losses"] >= MAX_LOSSES
        return bool(code != "bad")

    def _speakers(self, before: Row) -> set[str]:
        """Who can have lost this attempt: its holder, or whoever was heard first of it."""
        if before["holder"] is not None:
            return {before["holder"]}
        said = self._said.keys()
        return {w for s, a, w in said if (s, a) == (before["id"], before["attempt"])}

    def _check_words(self, now: Row) -> None:
        """What the row says, its holder said, and nobody else."""
        if now["holder"] is None or now["seq"] == 0:
            return
        attempt = (now["id"], now["attempt"], now["holder"])
        word = self._said.get(attempt, {}).get(now["seq"])
        if now["status"] == "succeeded":
            if word is None or word.status is not ReportStatus.SUCCEEDED:
                path = (now["job_id"], *attempt)
                assert self._world.artifacts.read_manifest(*path) is not None
            return
        assert word is not None, "nobody said this"
        assert now["done"] == word.done

    def _check_job(self, before: Row | None, now: Row, shards: Sequence[Row]) -> None:
        statuses = {shard["status"] for shard in shards}
        status = now["status"]
        assert (status == "succeeded") == (statuses == {"succeeded"})
        assert ("failed" in statuses) <= (status == "failed")
        if status in ENDED:
            assert statuses <= ENDED, "a shard of an ended job still waits or runs"
        if status == "queued":
            assert statuses == {"queued"}
        if before is None:
            return
        if before["status"] in ENDED:
            assert now == before, "an ended job has changed"
        else:
            assert now["done"] == sum(shard["done"] for shard in shards)
        assert now["status_seq"] > before["status_seq"] or now == before

    def _check_artifacts(self) -> None:
        files = self._world.artifacts
        kept = self._read("artifacts")
        for row in kept.values():
            shard = self.shards[row["shard_id"]]
            assert shard["status"] == "succeeded"
            attempt = (shard["job_id"], shard["id"], shard["attempt"], shard["holder"])
            assert row["path"].startswith(f"{attempt_folder(*attempt)}/"), "not its holder's"
            assert files.exists(row["path"]), "a recorded file is gone"
        of = [row["shard_id"] for row in kept.values()]
        succeeded = [s["id"] for s in self.shards.values() if s["status"] == "succeeded"]
        assert sorted(of) == sorted(succeeded), "each success has made one file, once"

    def _parents(self, job_id: str) -> list[str]:
        query = "SELECT parent_id FROM job_parents WHERE job_id = ?"
        return [parent for (parent,) in self._connection.execute(query, (job_id,))]

    def _shards_of(self, job_id: str) -> list[Row]:
        return [shard for shard in self.shards.values() if shard["job_id"] == job_id]

    def _read(self, table: str) -> dict[str, Row]:
        cursor = self._connection.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in cursor.description]
        return {row[names.index("id")]: dict(zip(names, row, strict=True)) for row in cursor}
