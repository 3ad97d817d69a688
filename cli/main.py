"""The command `actorllm`: its groups, its exit statuses and its one-line errors.

Exit status: 0 done, 1 error, 2 wrong usage, 130 interrupted.
"""

import sys
from typing import Any

import click

from actorllm.cli import archives, create, manage, run, serve, show, transfers, tree, upkeep
from actorllm.cli.bench.command import bench
from actorllm.cli.completion import completion
from actorllm.cli.errors import Failure
from actorllm.cli.streams import abandon_output, prepare_streams
from actorllm.cli.text import one_line

__all__ = ["cli", "main"]

_ALIASES = {"ls": "list", "start": "serve"}


class _Group(click.Group):
    """A group in the order of its commands' importance, with aliases."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))

    def list_commands(self, _: click.Context) -> list[str]:
        return list(self.commands)


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


_COMMANDS: tuple[click.Command, ...] = (
    run.run,
    serve.serve,
    manage.list_models,
    manage.ps,
    tree.tree,
    show.show,
    create.create,
    transfers.pull,
    transfers.push,
    archives.export,
    archives.import_,
    manage.stop,
    manage.cp,
    manage.rm,
    upkeep.prune,
    upkeep.key,
    bench,
    completion,
)
for _command in _COMMANDS:
    cli.add_command(_command)


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
