"""Who works: the dispatcher, the workers, and jobs that nobody can run."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from darkroom.doctor.database_checks import opened
from darkroom.doctor.findings import Finding, ok, problem, warning
from jobs import __version__, store
from jobs.contract import ACTIVE, JobStatus
from jobs.facts import DISPATCHER, read_fact
from jobs.messages import PROTOCOL
from jobs.pauses import ALL, scope_words
from jobs.queue_facts import QueueFacts
from jobs.settings import DatabaseSettings
from jobs.tables import Job, Shard, Worker
from jobs.waiting import hindrance

DISPATCHER_IS_SILENT = timedelta(seconds=60)
STUCK = timedelta(minutes=10)


def check_work(settings: DatabaseSettings) -> Iterator[Finding]:
    """Whether jobs that are submitted will run."""
    with opened(settings) as database, database.read() as session:
        yield _dispatcher(session)
        facts = QueueFacts(session, ())
        yield from _workers(facts.workers)
        yield from _pauses(facts)
        yield from _hindered(session)
        yield from _stuck(session, facts)


def _dispatcher(session: Session) -> Finding:
    fact = read_fact(session, DISPATCHER)
    if fact is None:
        return problem("dispatcher", "it has never run", "start `darkroom dispatcher`")
    silence = abs(datetime.now(UTC) - datetime.fromisoformat(fact["said_at"]))
    where = f"process {fact['pid']} on {fact['host']}"
    if silence > DISPATCHER_IS_SILENT:
        return problem(
            "dispatcher",
            f"it was last heard {silence.total_seconds():.0f} s ago ({where})",
            "start `darkroom dispatcher`; if it runs, see its log",
        )
    if fact["version"] != __version__:
        return warning(
            "dispatcher",
            f"it is version {fact['version']}, and this is {__version__} ({where})",
            "restart it",
        )
    return ok("dispatcher", f"was heard {silence.total_seconds():.0f} s ago ({where})")


def _workers(workers: Sequence[Worker]) -> Iterator[Finding]:
    if not workers:
        yield problem("workers", "none is online", "start `darkroom worker` where a GPU is")
    for each in workers:
        told = f"{each.id} on {each.capabilities.get('device', 'no device yet')}"
        if each.protocol != PROTOCOL:
            yield problem(
                "workers",
                f"{told} speaks protocol {each.protocol}, not {PROTOCOL}: it gets no work",
                "install the dispatcher's version there",
            )
        elif each.version != __version__:
            yield warning(
                "workers",
                f"{told} is version {each.version}, and this is {__version__}",
                "install the same version everywhere",
            )
        elif each.drained_at:
            yield warning(
                "workers",
                f"{told} is drained: it gets no new shards",
                f"`darkroom drain --undo {each.id}` when it is to work again",
            )
        elif not each.slots:
            yield warning(
                "workers",
                f"{told} takes no work",
                "it loads, or leaves: see its log if it stays so",
            )
        else:
            yield ok("workers", told)


def _pauses(facts: QueueFacts) -> Iterator[Finding]:
    for scope, pause in facts.pauses.items():
        command = "darkroom resume" if scope == ALL else f"darkroom resume {scope}"
        yield warning(
            "queue",
            f"{scope_words(scope)} is paused by {pause.paused_by}: {pause.reason}",
            f"`{command}` when it is to go on",
        )


def _hindered(session: Session) -> Iterator[Finding]:
    running = (Shard.status == JobStatus.RUNNING, Shard.notice.is_not(None))
    for notice in session.scalars(select(Shard.notice).where(*running).distinct().limit(5)):
        yield problem("workers", str(notice), "it goes on by itself once that is over")


def _stuck(session: Session, facts: QueueFacts) -> Iterator[Finding]:
    """Kinds that have waited for long, and why."""
    rows = session.execute(
        select(Shard.kind, func.count(), func.min(Job.created_at))
        .join(Job, Job.id == Shard.job_id)
        .where(
            Shard.status == JobStatus.QUEUED,
            Job.status.in_(ACTIVE),
            Shard.kind != "assemble",
            Job.created_at < datetime.now(UTC) - STUCK,
            ~store.waits_for_parents(),
        )
        .group_by(Shard.kind)
    )
    for kind, count, oldest in rows:
        age = datetime.now(UTC) - oldest.replace(tzinfo=UTC)
        told = f"{count} shards of {kind} wait, the first for {age.total_seconds() / 60:.0f} min"
        hindered = hindrance(kind, facts)
        if hindered is None:
            yield ok("jobs", f"{told}: workers for it are busy")
        else:
            advice = "resume what is paused or drained, or start a worker that runs it"
            yield problem("jobs", f"{told}: {hindered}", advice)
