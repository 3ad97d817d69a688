"""The command `actorllm`: its groups, its exit statuses and its one-line errors.

Exit status: 0 done, 1 error, 2 wrong usage, 130 interrupted.
"""

import importlib
import sys
from typing import Any

import click

from actorllm.cli.errors import Failure
from actorllm.cli.streams import abandon_output, prepare_streams
from actorllm.cli.text import one_line

__all__ = ["cli", "main"]

_ALIASES = {"ls": "list", "start": "serve"}

_COMMANDS = {
    "run": "run:run",
    "serve": "serve:serve",
    "list": "manage:list_models",
    "ps": "manage:ps",
    "tree": "tree:tree",
    "show": "show:show",
    "create": "create:create",
    "pull": "transfers:pull",
    "push": "transfers:push",
    "export": "archives:export",
    "import": "archives:import_",
    "stop": "manage:stop",
    "cp": "manage:cp",
    "rm": "manage:rm",
    "prune": "upkeep:prune",
    "key": "upkeep:key",
    "bench": "bench.command:bench",
    "completion": "completion:completion",
}
"""Where each command is, in the order of their importance. Only one is imported: that which is run."""


class _Group(click.Group):
    """A group whose commands have aliases and are imported when they are asked for."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = _ALIASES.get(cmd_name, cmd_name)
        return _command(_COMMANDS[name]) if name in _COMMANDS else super().get_command(ctx, name)

    def list_commands(self, _: click.Context) -> list[str]:
        return [*_COMMANDS, *self.commands]


def _command(place: str) -> click.Command:
    module, _, name = place.partition(":")
    command = getattr(importlib.import_module(f"actorllm.cli.{module}"), name)
    assert isinstance(command, click.Command)
    return command


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from actorllm.cli.daemon import read_settings
    from actorllm.cli.probe import server_version
    from actorllm.protocol.version import package_version

    ours, answer = package_version(), server_version(read_settings().host)
    # Our own server answers 0.33.0+actorllm.0.1.0, for clients that ask for Ollama's version.
    server = answer.rpartition("+actorllm.")[2] if answer else None
    if server is None:
        click.echo("Warning: no running actorllm server answers")
    click.echo(f"actorllm version is {server or ours}")
    if server not in (None, ours):
        click.echo(f"Warning: client version is {ours}")
    ctx.exit()


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="The commands talk to a server, which they start when none runs on this machine. "
    "`actorllm serve --help` lists the variables of the environment.",
)
@click.option(
    "-v",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version of the server and, if it differs, of this client.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run large language models on this machine."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@cli.command("help")
@click.argument("command", nargs=-1)
def _help(command: tuple[str, ...]) -> None:
    """Show the help of a command, as --help does."""
    cli.main([*command, "--help"], prog_name="actorllm", standalone_mode=False)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    prepare_streams()
    try:
        status: Any = cli.main(arguments, prog_name="actorllm", standalone_mode=False)
    except click.Abort:
        return 130
    except click.ClickException as e:
        e.show()
        return e.exit_code
    except Failure as e:
        click.echo(f"Error: {e}", err=True)
        return 1
    except OSError as e:
        if e.filename is not None:
            raise
        abandon_output()  # its disk is full, or its terminal gone
        click.echo(f"Error: cannot write the output: {one_line(e.strerror or str(e))}", err=True)
        return 1
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
