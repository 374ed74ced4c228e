"""The options of `submit`, which are read off the contract."""

import click
import pytest

from darkroom.commands.submit import REQUESTS, command
from jobs.requests import job_request_adapter


def options_of(kind: str) -> dict[str, click.Option]:
    built = command.get_command(click.Context(command), kind)
    assert built is not None
    return {each.name: each for each in built.params if isinstance(each, click.Option)}


def test_every_kind_has_its_command() -> None:
    mapping = job_request_adapter.json_schema()["discriminator"]["mapping"]

    assert sorted(mapping) == sorted(REQUESTS)
    assert command.list_commands(click.Context(command)) == list(REQUESTS)


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
