"""What a pass has written, and what it has to do after its commit."""

from dataclasses import dataclass, field

from jobs.contract import JobUpdate
from jobs.messages import Order
from jobs.store import Made


@dataclass
class Outcome:
    """What one pass has to do after its commit."""

    orders: list[tuple[str, Order]] = field(default_factory=list)
    touched: dict[str, bool] = field(default_factory=dict)  # job id → shards changed
    hinted: set[str] = field(default_factory=set)
    returned: list[tuple[str, str]] = field(default_factory=list)  # (shard, by which worker)
    to_tidy: list[tuple[str, str, str]] = field(default_factory=list)  # job, shard, folder kept
    made: list[Made] = field(default_factory=list)
    workers_changed: bool = False  # one came or went, or takes work otherwise than before
    updates: list[JobUpdate] = field(default_factory=list)

    def touch(self, job_id: str, *, is_change: bool) -> None:
        """This job's row must follow its shards."""
        self.touched[job_id] = self.touched.get(job_id, False) or is_change
