"""What is said of a job while it runs."""

from datetime import UTC, datetime, timedelta

import pytest

from darkroom import progress
from darkroom.server_error import ServerError
from jobs.contract import EstimateView, JobStatus, JobView, Progress

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def view(
    done: int, unit: str, status: JobStatus = JobStatus.RUNNING, trains: bool = True
) -> JobView:
    return JobView(
        id="j",
        kind="train_ddpm",
        name=None,
        submitter="ada",
        priority=0,
        status=status,
        status_seq=done,
        waiting_reason=None,
        params={},
        progress=Progress(done=done, total=200, unit=unit),
        error=None,
        retry_of=None,
        created_at=NOW,
        started_at=NOW,
        finished_at=None,
        links={"curves": "/curves"} if trains else {},
    )


class Server:
    """Answers with curves, or not at all."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def curves(self, job_id):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_each_unit_is_said_and_percent_only_once(capsys: pytest.CaptureFixture[str]) -> None:
    progress.show(iter([view(50, "steps")]))
    progress.show(iter([view(50, "seconds")]))
    progress.show(iter([view(50, "percent")]))

    assert capsys.readouterr().err.splitlines() == [
        "running, 25 % (50 of 200 steps)",
        "running, 25 % (50 of 200 seconds)",
        "running, 25 %",
    ]


def test_the_newest_losses_of_a_training_stand_beside_its_progress(capsys) -> None:
    server = Server(
        {"loss": [(1, 0.9), (2, 0.25)], "held_out_loss": []},
        {"loss": [(3, 0.125)], "held_out_loss": [(3, 0.5)]},
    )
    views = [view(50, "steps"), view(60, "steps"), view(200, "steps", JobStatus.SUCCEEDED)]

    progress.show(iter(views), progress.Losses(server))

    assert capsys.readouterr().err.splitlines() == [
        "running, 25 % (50 of 200 steps), loss 0.2500",
        "succeeded, 100 % (200 of 200 steps), loss 0.1250, held out loss 0.5000",
    ]


def test_a_job_without_curves_is_not_asked_and_a_silent_server_ends_nothing() -> None:
    losses = progress.Losses(Server(ServerError("no answer"), {"loss": [(1, 0.5)]}))

    assert losses(view(1, "image-steps", trains=False)) == ""
    assert losses(view(1, "steps")) == ""
    assert losses(view(2, "steps")) == ""
    assert losses(view(3, "steps", JobStatus.SUCCEEDED)) == "loss 0.5000"


def test_an_estimate_is_said_as_a_range_of_times_to_come() -> None:
    end = (NOW + timedelta(seconds=40), NOW + timedelta(minutes=12))
    known = view(50, "steps").model_copy(update={"estimate": EstimateView(end=end)})

    assert progress.ends(known, NOW) == "ends in 40 s to 12 min"
    assert progress.ends(known, NOW + timedelta(minutes=1)) == "ends in 0 s to 11 min"
    assert progress.ends(view(50, "steps"), NOW) == ""
    assert progress.span(3 * 3600) == "3 h"
