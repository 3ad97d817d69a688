"""Which of a model's templates makes the prompt, and why.

    a renderer         named by the model: it is made for this model, so it wins
    the Go template    of the model's `TEMPLATE`, unless the Jinja template can do more
    the Jinja template of the GGUF file
    nothing            ChatML for a chat, the bare prompt for generate

Only Go templates can fill in the middle of a text. A model that has none does so (`fim`) by the
tokens of its vocabulary.

The choice is made for each request, from what belongs to the model's name: two names that share
their weights may have different templates.
"""

from typing import Literal

from attrs import frozen

from actorllm.actors.runner.prompt.gofacts import GoFacts, go_facts
from actorllm.actors.runner.prompt.jinja_facts import JinjaFacts, jinja_facts

__all__ = ["Choice", "Kind", "PromptTemplates", "choose"]

Kind = Literal["renderer", "go", "jinja", "none", "fim"]


@frozen
class PromptTemplates:
    """All that a model brings for making prompts."""

    jinja: str = ""
    """`tokenizer.chat_template` of the GGUF file."""
    go: str = ""
    """The template layer."""
    renderer: str = ""
    """The renderer that the config names."""
    parser: str = ""
    """The parser that the config names."""
    family: str = ""
    """The architecture."""
    name: str = ""
    """The model's name; sizes in it decide between variants of a renderer."""
    parameters: int = 0
    """How many parameters the model has, 0 if not known."""
    bos: str = ""
    """The text of the token that begins a sequence."""
    eos: str = ""
    """The text of the token that ends one."""
    fim: tuple[str, ...] = ()
    """The texts of the tokens before what comes first, what comes last, and the middle that is to
    be filled in; empty: the vocabulary has none."""


@frozen
class Choice:
    """The template that makes the prompt."""

    kind: Kind
    reason: str
    """Why, in a few words for `show` and the logs."""
    harmony: bool = False
    """The model speaks harmony (gpt-oss)."""

    @property
    def native(self) -> bool:
        """Whether neither a renderer nor a Go template makes it."""
        return self.kind not in ("renderer", "go")


def choose(templates: PromptTemplates, *, prefer_go: bool | None = None) -> Choice:
    """Choose the template for a request.

    Args:
        templates: what the model brings.
        prefer_go: the user's wish: True for the Go template, False for the Jinja template, None for
            whichever can do more.
    """
    harmony = _is_harmony(templates)
    if templates.renderer:
        return Choice("renderer", f"the model names the renderer {templates.renderer}", harmony)
    if not templates.jinja:
        if templates.go:
            return Choice("go", "the model has a Go template only", harmony)
        return Choice("none", "the model has no template", harmony)
    if not templates.go:
        return Choice("jinja", "the model has a Jinja template only", harmony)
    if prefer_go is not None:
        return Choice("go" if prefer_go else "jinja", "the settings ask for it", harmony)
    if harmony or templates.parser:
        return Choice("go", "the model's parser goes with its Go template", harmony)
    return _abler(go_facts(templates.go), jinja_facts(templates.jinja))


def _abler(go: GoFacts, jinja: JinjaFacts) -> Choice:
    """Choose between a Go and a Jinja template by what they can do."""
    go_can = {name for name in ("tools", "insert", "thinking") if getattr(go, name)}
    jinja_can = {name for name in ("tools", "thinking") if getattr(jinja, name)}
    more = jinja_can > go_can
    if more and not (go.tool_round_trip and not jinja.tool_round_trip):
        added = " and ".join(sorted(jinja_can - go_can))
        return Choice("jinja", f"the Jinja template adds {added}")
    same = jinja_can == go_can and "tools" in go_can
    if same and jinja.tool_round_trip and not go.tool_round_trip:
        return Choice("jinja", "the Jinja template renders results of tools")
    return Choice("go", "the model has a Go template")


def _is_harmony(templates: PromptTemplates) -> bool:
    if templates.family not in ("gptoss", "gpt-oss"):
        return False
    text = templates.go or templates.jinja
    return "<|start|>" in text and "<|end|>" in text
