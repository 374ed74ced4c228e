"""`darkroom`: one command line for the programs and for the people who use them."""

import importlib

import click

from darkroom import lifeline

COMMANDS = {
    "up": "up",
    "demo": "demo",
    "submit": "submit",
    "watch": "watch",
    "jobs": "jobs",
    "change": "change",
    "cancel": "cancel",
    "retry": "retry",
    "delete": "delete",
    "repeat": "repeat",
    "download": "download",
    "import": "import_files",
    "checkpoints": "checkpoints",
    "datasets": "datasets",
    "uploads": "uploads",
    "workers": "workers",
    "queue": "queue",
    "pause": "pause",
    "resume": "resume",
    "drain": "drain",
    "web": "web",
    "dispatcher": "dispatcher",
    "worker": "worker",
    "migrate": "migrate",
    "backup": "backup",
    "restore": "restore",
    "doctor": "doctor",
}


class Commands(click.Group):
    """Commands imported when they are used, so that each program loads only what it needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help text."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(f"darkroom.commands.{module}").command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lifeline", "lifeline_fd", type=int, hidden=True)
@click.version_option(package_name="darkroom")
def main(lifeline_fd: int | None) -> None:
    """Pictures develop out of noise on GPU workers.

    `darkroom up` starts everything on this computer; the commands from submit to drain talk to
    it over HTTP.
    """
    if lifeline_fd is not None:
        lifeline.follow(lifeline_fd)


if __name__ == "__main__":
    main(prog_name="darkroom")
