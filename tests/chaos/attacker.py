"""Kills, flushes, cuts and holds up at random, but no shard's held attempt more than twice."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import or_, select

from jobs.contract import JobStatus
from jobs.database import Database
from jobs.tables import Shard
from tests.chaos.programs import KeptProgram
from tests.chaos.proxy import Direction, Proxy

MOST_HITS = 2  # a shard fails at its third loss
MOSTLY = 0.8
LOOK_SECONDS = 0.02
REDIS = "Redis"
WAYS = (Direction.TO_TARGET, Direction.TO_CLIENT, Direction.BOTH)


@dataclass(frozen=True)
class Place:
    """What can be attacked."""

    redis_server: Any
    database: Database
    web: KeptProgram
    dispatcher: KeptProgram
    workers: Sequence[tuple[KeptProgram, Proxy]]


@dataclass
class Attacker:
    """One thread of faults; the same seed draws the same faults in the same order."""

    place: Place
    seed: int
    lease_seconds: float
    most_faults: int
    pause_seconds: tuple[float, float]
    counts: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)  # by shard
    failure: BaseException | None = None
    _mends: list[tuple[float, str, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin nothing yet."""
        self._random = random.Random(self.seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._attack, name="attacker")
        self._faults: dict[str, tuple[int, Callable[[], bool]]] = {
            "engine killed": (3, self._kill_engine),  # seconds until there is another one
            "consumer killed": (3, self._kill_consumer),
            "dispatcher killed": (3, self._kill_dispatcher),
            "web killed": (3, self._kill_web),
            "Redis killed": (3, self._kill_redis),
            "Redis killed, its files lost": (2, self._lose_redis),
            "Redis flushed": (3, self._flush),
            "connections dropped": (3, self._drop_connections),
            "worker cut off": (4, self._black_hole),
            "worker slowed": (3, self._delay),
            "worker's connections reset": (3, self._cut),
        }

    def start(self) -> None:
        """Attack until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """End, and mend what is broken."""
        self._stop.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    @property
    def has_done_all(self) -> bool:
        """Whether nothing more is broken, apart from what has to be mended."""
        return self.counts.total() >= self.most_faults

    def _attack(self) -> None:
        names = list(self._faults)
        weights = [weight for weight, _ in self._faults.values()]
        next_fault = time.monotonic()
        try:
            while not self._stop.wait(LOOK_SECONDS):
                self._mend(time.monotonic())
                if time.monotonic() < next_fault or self.has_done_all:
                    continue
                [name] = self._random.choices(names, weights)
                if self._faults[name][1]():
                    self.counts[name] += 1
                next_fault = time.monotonic() + self._random.uniform(*self.pause_seconds)
        except BaseException as failure:  # told by the main thread
            self.failure = failure
        finally:
            self._mend(float("inf"))

    def _mend(self, until: float) -> None:
        """Mend what is due to be mended."""
        due = [mend for mend in self._mends if mend[0] <= until]
        self._mends = [mend for mend in self._mends if mend[0] > until]
        for _, _, mend in due:
            mend()

    def _mend_later(self, what: str, seconds: float, mend: Callable[[], None]) -> None:
        self._mends.append((time.monotonic() + seconds, what, mend))

    def _is_broken(self, what: str) -> bool:
        return any(broken == what for _, broken, _ in self._mends)

    def _hit(
        self, program: KeptProgram, attack: Callable[[], bool], *, is_busy: bool = False
    ) -> bool:
        """Attack a worker, unless a shard that it has or gets was hit too often before.

        The dispatcher sends nothing meanwhile: it waits for the database's write lock. With
        `is_busy` only if it has a shard.
        """
        worker = program.worker
        if worker is None:
            return False
        with self.place.database.write() as session:
            theirs = session.scalars(
                select(Shard.id).where(
                    or_(Shard.holder == worker, Shard.sent_to == worker),
                    Shard.status.in_([JobStatus.QUEUED, JobStatus.RUNNING]),
                )
            ).all()
            is_spared = any(self.hits[shard] >= MOST_HITS for shard in theirs)
            if is_spared or (is_busy and not theirs) or not attack():
                return False
            self.hits.update(theirs)
            return True

    def _a_worker(self) -> tuple[KeptProgram, Proxy]:
        return self._random.choice(self.place.workers)

    def _kill_engine(self) -> bool:
        program, _ = self._a_worker()
        return self._hit(program, program.kill_engine, is_busy=self._random.random() < MOSTLY)

    def _kill_consumer(self) -> bool:
        program, _ = self._a_worker()
        return self._hit(program, program.kill, is_busy=self._random.random() < MOSTLY)

    def _kill_dispatcher(self) -> bool:
        return self.place.dispatcher.kill()

    def _kill_web(self) -> bool:
        return self.place.web.kill()

    def _kill_redis(self) -> bool:
        """Kill it, and start it with its own files after a while."""
        return self._take_redis_away(self._random.uniform(0, 3))

    def _lose_redis(self) -> bool:
        """Kill it, and start an empty one."""
        if not self._take_redis_away(self._random.uniform(0, 1)):
            return False
        self.place.redis_server.forget()
        return True

    def _take_redis_away(self, seconds: float) -> bool:
        if self._is_broken(REDIS):
            return False
        self.place.redis_server.kill()
        self._mend_later(REDIS, seconds, self.place.redis_server.start)
        return True

    def _flush(self) -> bool:
        if self._is_broken(REDIS):
            return False
        self.place.redis_server.flush()
        return True

    def _drop_connections(self) -> bool:
        if self._is_broken(REDIS):
            return False
        with self.place.redis_server.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        return True

    def _black_hole(self) -> bool:
        """Hold up one way or both, shorter or longer than a lease; then mend it or cut it."""
        program, proxy = self._a_worker()
        seconds = self._random.uniform(0.5, 2 * self.lease_seconds)
        way = self._random.choice(WAYS)
        is_cut = self._random.random() < 0.5

        def hold_up() -> bool:
            proxy.blackhole(way)
            return True

        def mend() -> None:
            if is_cut:
                proxy.cut()
            proxy.restore()

        if self._is_broken(program.name) or not self._hit(program, hold_up):
            return False
        self._mend_later(program.name, seconds, mend)
        return True

    def _delay(self) -> bool:
        program, proxy = self._a_worker()
        if self._is_broken(program.name):
            return False
        proxy.delay(self._random.uniform(0.1, 0.6), self._random.choice(WAYS))
        self._mend_later(program.name, self._random.uniform(0.5, 3), proxy.restore)
        return True

    def _cut(self) -> bool:
        _, proxy = self._a_worker()
        proxy.cut()
        return True
