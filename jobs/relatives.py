"""Whom a job waits for, who waits for it, and what was submitted with it."""

from dataclasses import dataclass

from jobs import store
from jobs.contract import JobView
from jobs.database import Database
from jobs.gallery import require_job
from jobs.queue_views import views_of


@dataclass(frozen=True)
class JobRelatives:
    """Jobs that have to do with one.

    Attributes:
        parents: that must succeed first, oldest first.
        children: that wait for it, or did, oldest first.
        batch: the others of its submission that are neither, in their order.
    """

    parents: list[JobView]
    children: list[JobView]
    batch: list[JobView]


class Relatives:
    """Reads what jobs have to do with each other; a part of the job service."""

    _database: Database

    def relatives_of(self, job_id: str) -> JobRelatives:
        """The jobs that have to do with this one.

        Raises:
            JobNotFoundError: there is no such job.
        """
        with self._database.read() as session:
            job = require_job(session, job_id)
            batch = store.jobs_of_batch(session, job.batch_id) if job.batch_id else ()
            parents = store.parents_of(session, job_id)
            children = store.children_of(session, job_id)
            nearer = {each.id for each in (job, *parents, *children)}
            return JobRelatives(
                parents=views_of(session, parents),
                children=views_of(session, children),
                batch=views_of(session, [each for each in batch if each.id not in nearer]),
            )
