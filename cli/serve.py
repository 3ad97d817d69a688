"""`actorllm serve`: the daemon in the foreground."""

import click

from actorllm.cli.errors import Failure
from actorllm.cli.text import one_line
from actorllm.protocol.settings import VARIABLES, SettingsError

__all__ = ["serve"]


class _ServeCommand(click.Command):
    """Its help ends with the variables of the environment."""

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (
                f"ACTORLLM_{variable.name}",
                variable.meaning + (f"  [{variable.default}]" if variable.default else ""),
            )
            for variable in VARIABLES
        ]
        with formatter.section("Environment (OLLAMA_… is read where ACTORLLM_… is not set)"):
            formatter.write_dl(rows)


@click.command(cls=_ServeCommand)
@click.option(
    "--host",
    metavar="ADDRESS",
    help="Listen here instead of at ACTORLLM_HOST: host, host:port or :port.",
)
@click.option(
    "--faults",
    type=click.Path(exists=True, dir_okay=False),
    metavar="PLAN.TOML",
    help="Break things on purpose, as this plan of faults says.",
)
@click.option("--quiet", is_flag=True, help="Log to the file in the state folder alone.")
def serve(host: str | None, faults: str | None, quiet: bool) -> int:
    """Run the server in the foreground until Ctrl-C (alias: start)."""
    from actorllm.actors.kernel.garbage import hold_collection, resume_collection

    hold_collection()
    from actorllm.actors.daemon import main as run_daemon
    from actorllm.http.app import create_app

    try:
        return run_daemon(create_app, host=host, faults=faults, quiet=quiet)
    except SettingsError as e:
        raise Failure(one_line(str(e))) from e
    finally:
        resume_collection()  # the daemon itself does when it is up
