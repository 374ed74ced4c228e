"""The request of the kind `report`."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.contract import Contract
from jobs.requests.base import MAX_PARENTS, Id, JobRequestBase


class ReportParams(Contract):
    """Parameters of the kind `report`: a page, a PDF and a zip of several jobs."""

    jobs: Annotated[list[Id], Field(min_length=1, max_length=MAX_PARENTS)] = Field(
        description="Jobs to report on, in this order; those that run are waited for."
    )
    title: str | None = Field(None, min_length=1, max_length=200, description="Of the report.")


class ReportJob(JobRequestBase):
    """A request for a job of kind `report`."""

    kind: Literal["report"]
    params: ReportParams
