"""Completion of commands, options and model names in the shell."""

import click
from click.shell_completion import CompletionItem

from actorllm.cli.errors import Failure

__all__ = ["MODEL", "completion"]


class _ModelName(click.ParamType[str]):
    """The name of a model; completed from what the running server has."""

    name = "model"

    def shell_complete(
        self, _: click.Context, __: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from actorllm.cli.daemon import connect

        try:
            models = connect(start=False).get("/api/tags").get("models") or []
        except Failure:
            return []
        names = [str(model.get("name", "")) for model in models]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


MODEL = _ModelName()


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands and model names.

    For bash: eval "$(actorllm completion bash)"
    """
    from click.shell_completion import get_completion_class

    from actorllm.cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise Failure(f"there is no completion for {shell}")
    click.echo(kind(cli, {}, "actorllm", "_ACTORLLM_COMPLETE").source())
