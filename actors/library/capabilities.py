"""What a model can do, in the words of the wire: completion, tools, vision and so on."""

from collections.abc import Iterator, Sequence
from typing import Final

from actorllm.actors.library.facts import WeightsFacts
from actorllm.actors.library.templates import Abilities, TemplateFacts
from actorllm.protocol.manifest import ModelConfig

__all__ = ["capabilities"]

_GPT_OSS: Final = ("gptoss", "gpt-oss")


def capabilities(
    config: ModelConfig,
    facts: WeightsFacts | None,
    *,
    projectors: Sequence[WeightsFacts] = (),
    template: TemplateFacts | None = None,
    jinja: TemplateFacts | None = None,
    parser: Abilities | None = None,
) -> tuple[str, ...]:
    """List what a model can do; the order is the reference's.

    Args:
        config: May name some itself.
        facts: Of the weights; None: there are none that can be read.
        projectors: Facts of its projectors.
        template: Facts of the Go template, if that makes the prompts.
        jinja: Facts of the Jinja template, if that makes the prompts.
        parser: Of the parser that the config names, if it does.
    """
    found = dict.fromkeys(config.capabilities)
    found |= dict.fromkeys(_of_template(jinja))
    if facts is not None:
        found |= dict.fromkeys(_of_weights(facts))
    for projector in projectors:
        found["vision"] = None
        if projector.audio_encoder and (facts is None or facts.architecture != "gemma3nv"):
            found["audio"] = None
    found |= dict.fromkeys(_of_template(template))
    if parser is not None:
        found |= dict.fromkeys(_of_template(TemplateFacts(parser.tools, False, parser.thinking)))
    if config.model_family in _GPT_OSS:
        found["thinking"] = None
    if facts is not None and facts.architecture == "nemotron_h_omni":
        found.pop("audio", None)
    return tuple(found)


def _of_weights(facts: WeightsFacts) -> Iterator[str]:
    yield "completion" if facts.pooling is None else "embedding"
    if facts.vision:
        yield "vision"
    if facts.audio:
        yield "audio"


def _of_template(facts: TemplateFacts | None) -> Iterator[str]:
    if facts is None:
        return
    if facts.tools:
        yield "tools"
    if facts.suffix:
        yield "insert"
    if facts.thinking:
        yield "thinking"
