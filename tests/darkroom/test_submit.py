"""The options of `submit`, which are read off the contract."""

import click
import pytest

from darkroom.commands.submit import REQUESTS, command
from darkroom.request_options import without_absent
from jobs.requests import job_request_adapter


def options_of(kind: str) -> dict[str, click.Option]:
    built = command.get_command(click.Context(command), kind)
    assert built is not None
    return {each.name: each for each in built.params if isinstance(each, click.Option)}


def test_every_kind_has_its_command() -> None:
    mapping = job_request_adapter.json_schema()["discriminator"]["mapping"]

    assert sorted(mapping) == sorted(REQUESTS)
    assert command.list_commands(click.Context(command)) == [*REQUESTS, "assignment", "batch"]


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_parameter_has_its_option_and_help_and_no_default_of_its_own(kind: str) -> None:
    fields = REQUESTS[kind].model_fields["params"].annotation.model_fields
    options = options_of(kind)

    for name, field in fields.items():
        assert options[name].default is None
        assert field.description.replace("`", "") in options[name].help


def test_options_take_what_the_contract_takes() -> None:
    sample, training = options_of("sample"), options_of("train_ddpm")

    assert list(sample["sampler"].type.choices) == ["ddpm", "ddim", "dpmpp_2m"]
    assert (sample["count"].type, sample["eta"].type) == (click.INT, click.FLOAT)
    assert training["horizontal_flips"].secondary_opts == ["--no-horizontal-flips"]
    assert training["minutes"].type == click.FLOAT


def sent(kind: str, *arguments: str) -> dict[str, object]:
    """The parameters that these arguments give."""
    built = command.get_command(click.Context(command), kind)
    assert built is not None
    context = built.make_context(kind, list(arguments))
    return without_absent(context.params)


def test_lists_are_given_with_commas_or_by_repeating_the_option() -> None:
    assert sent("guided_sample", "--target-ages", "18,40.5")["target_ages"] == [18, 40.5]
    repeated = sent("guided_sample", "--target-ages", "18", "--target-ages", "40, 60")
    assert repeated["target_ages"] == [18, 40, 60]
    assert sent("report", "--jobs", "a,b")["jobs"] == ["a", "b"]
    assert sent("report", "--jobs", "a", "--after", "b", "--after", "c")["after"] == ("b", "c")
    assert "target_ages" not in sent("guided_sample")


def test_what_another_job_makes_is_given_as_job_and_its_id() -> None:
    given = sent("guided_sample", "--regressor", "job:0123", "--checkpoint", "bundled")

    assert (given["regressor"], given["checkpoint"]) == ({"job": "0123"}, "bundled")
    assert sent("train_ddpm", "--initial", "job:a")["initial"] == {"job": "a"}


def test_structures_are_given_as_json() -> None:
    given = sent("merge", "--faces", '[[1, {"upload": "u"}]]', "--timesteps", "100,300")

    assert (given["faces"], given["timesteps"]) == ([[1, {"upload": "u"}]], [100, 300])


@pytest.mark.parametrize(
    "arguments",
    [
        ("guided_sample", "--target-ages", "18,old"),
        ("merge", "--faces", "[[1,"),
        ("merge", "--timesteps", "1.5"),
    ],
)
def test_what_no_option_can_be_is_refused_with_its_name(arguments: tuple[str, ...]) -> None:
    with pytest.raises(click.BadParameter, match=r"not (JSON|a valid)") as refused:
        sent(*arguments)

    assert refused.value.param is not None
    assert refused.value.param.opts == [arguments[1]]
