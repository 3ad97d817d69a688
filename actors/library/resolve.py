"""A model with everything that running it needs. It blocks: call it from a thread."""

from actorllm.actors.library.content import damaged
from actorllm.actors.library.details import model_info
from actorllm.actors.library.facts import WeightsFacts
from actorllm.actors.library.memory import with_extra
from actorllm.actors.library.opened import OpenModel
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.models import ResolvedModel
from actorllm.protocol.version import unmet

__all__ = ["resolved_model"]


def resolved_model(model: OpenModel) -> ResolvedModel:
    """Collect what the scheduler, the prompts and the runner want to know.

    Raises:
        Refused: The model is damaged: 500; its format cannot be run, or not by this version: 400.
    """
    found, config, content = model.found, model.config, model.content
    if config.model_format not in {"", "gguf"}:
        raise Refused.because(
            400,
            f"model '{found.name.short()}' is in {config.model_format} format, which cannot be run; "
            "create it again from a GGUF file",
        )
    problem = unmet(config.requires)
    if problem is not None:
        raise Refused.because(400, f"model '{found.name.short()}' {problem}")
    weights, facts = model.weights, model.facts
    if weights is None or facts is None:
        raise damaged(found.name, "it has no weights")
    extra = sum(blob.size for blob in (*model.projectors, *model.adapters, *model.drafts))
    return ResolvedModel(
        name=found.name.short(),
        full_name=found.name.full(),
        digest=found.digest,
        weights=weights,
        projectors=model.projectors,
        adapters=model.adapters,
        drafts=model.drafts,
        details=model_info(config, facts),
        renderer=config.renderer,
        parser=config.parser,
        capabilities=_with_insert(model.capabilities(), content.template, facts),
        template=content.template,
        native=model.choice.native,
        chat_template=facts.chat_template or None,
        harmony=model.choice.harmony,
        system=content.system,
        params=content.params,
        messages=content.messages,
        architecture=facts.architecture,
        context_length=facts.context_length,
        parameter_count=facts.parameter_count,
        pooling=facts.pooling,
        memory=with_extra(facts.memory, extra),
        splits=model.splits,
    )


def _with_insert(
    capabilities: tuple[str, ...], template: str | None, facts: WeightsFacts
) -> tuple[str, ...]:
    """Add that the middle can be filled in, by the tokens of the vocabulary.

    A Go template says itself whether it can. Lists and show name what templates can do, as the
    reference does: this is for requests.
    """
    if template or not facts.fills_in or "insert" in capabilities:
        return capabilities
    return (*capabilities, "insert") if "completion" in capabilities else capabilities
