"""Chat templates in Jinja, as GGUF files carry them.

Rendered as transformers does (`apply_chat_template`): the same environment, the same functions, JSON
with keys in their order and without escapes. Where llama.cpp allows more than Python's sandbox
(lists that a template appends to), so do we.
"""

import functools
from datetime import datetime
from typing import Any, NoReturn

import jinja2

from actorllm.actors.runner.prompt.errors import LimitExceeded, TemplateError, one_line
from actorllm.actors.runner.prompt.limits import Budget, active
from actorllm.actors.runner.prompt.sandbox import ChatEnvironment

__all__ = ["LONGEST_TEMPLATE", "JinjaTemplate"]

LONGEST_TEMPLATE = 48 << 10
"""Characters; the longest that is in use has 17 thousand."""

_environment = ChatEnvironment()


class JinjaTemplate:
    """A compiled chat template.

    Raises:
        TemplateError: the source is not a valid template.
    """

    def __init__(self, source: str) -> None:
        self._template = _compile(source)

    def render(self, variables: dict[str, Any], now: datetime, budget: Budget | None = None) -> str:
        """Return the text for `variables`.

        Args:
            variables: what the template sees; plain JSON values.
            now: what `strftime_now` answers.
            budget: what the rendering may use; by default what a small conversation may.

        Raises:
            TemplateError: the template failed with the conversation, or refused it (400), or was
                stopped.
        """
        token = active.set(budget or Budget())
        try:
            return self._template.render(
                strftime_now=functools.partial(_strftime, now),
                raise_exception=_refuse,
                **variables,
            )
        except TemplateError:
            raise
        except (MemoryError, RecursionError) as error:
            raise LimitExceeded("the template nests too deep") from error
        except Exception as error:
            raise TemplateError(
                f"the model's chat template fails with these messages: {_said(error)}; "
                "change them, or give the model another template",
                status=400,
            ) from error
        finally:
            active.reset(token)


@functools.lru_cache(maxsize=32)
def _compile(source: str) -> jinja2.Template:
    if len(source) > LONGEST_TEMPLATE:
        raise LimitExceeded(
            f"the chat template has {len(source)} characters; at most {LONGEST_TEMPLATE} are read"
        )
    try:
        return _environment.from_string(source)
    except (MemoryError, RecursionError) as error:
        raise LimitExceeded("the chat template nests too deep") from error
    except Exception as error:
        raise TemplateError(f"the model's chat template is not valid: {error}") from error


def _refuse(message: object = "") -> NoReturn:
    """Say on behalf of the template that it cannot render this conversation."""
    raise TemplateError(
        f"the model's chat template refuses these messages: {one_line(str(message))}; change them",
        status=400,
    )


def _said(error: Exception) -> str:
    return one_line(str(error)) or type(error).__name__


def _strftime(now: datetime, form: str) -> str:
    active.get().require(256 * len(form))
    return now.strftime(form)
