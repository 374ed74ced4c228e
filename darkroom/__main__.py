"""`darkroom`: one command line for the programs and for the people who use them."""

import importlib

import click

from darkroom import lifeline

COMMANDS = {  # module, and what `darkroom --help` says without importing it
    "up": ("up", "Run everything on this computer"),
    "demo": ("demo", "Do the whole assignment, and save what it makes"),
    "submit": ("submit", "Submit a job"),
    "watch": ("watch", "Follow a job until it ends"),
    "jobs": ("jobs", "List jobs"),
    "change": ("change", "Give a job another priority or name"),
    "cancel": ("cancel", "Cancel a job, and those that wait for it"),
    "retry": ("retry", "Make an ended job anew"),
    "delete": ("delete", "Delete ended jobs, or what was imported"),
    "repeat": ("repeat", "Submit the job that made a picture again"),
    "download": ("download", "Save what a job made"),
    "import": ("import_files", "Bring your own files in"),
    "checkpoints": ("checkpoints", "List checkpoints"),
    "datasets": ("datasets", "List datasets"),
    "uploads": ("uploads", "List uploaded pictures"),
    "workers": ("workers", "List the workers that are online"),
    "queue": ("queue", "Show pauses, device time, speeds and estimates"),
    "pause": ("pause", "Send nothing new of a kind, or of all"),
    "resume": ("resume", "End a pause"),
    "drain": ("drain", "Send a worker no more shards"),
    "web": ("web", "Serve the API and the dashboard"),
    "dispatcher": ("dispatcher", "Send work to workers, and record what they report"),
    "worker": ("worker", "Run shards on this computer's GPUs, or on its CPU"),
    "migrate": ("migrate", "Bring the database up to date"),
    "backup": ("backup", "Copy a system in use"),
    "restore": ("restore", "Put a backup into an empty system"),
    "doctor": ("doctor", "Examine everything, and say what to do"),
}


class Commands(click.Group):
    """Commands imported when they are used, so that each program loads only what it needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help text."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = importlib.import_module(f"darkroom.commands.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in COMMANDS.items()])


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
