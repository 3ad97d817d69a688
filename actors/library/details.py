"""What lists say of a model: family, size, quantization, lengths."""

from typing import Final

from actorllm.actors.library.facts import WeightsFacts
from actorllm.actors.library.ggml_types import file_type_name
from actorllm.protocol.manifest import ModelConfig
from actorllm.protocol.messages.models import ModelInfo

__all__ = ["config_of", "human_number", "model_info"]

_UNITS: Final = ((1e12, "T", 1), (1e9, "B", 1), (1e6, "M", 2), (1e3, "K", 0))


def human_number(number: int) -> str:
    """Write a number of parameters for people: `8.0B`, `4.46M`, `4K`, `512`."""
    for unit, letter, digits in _UNITS:
        if number >= unit:
            return f"{number / unit:.{0 if number % unit == 0 else digits}f}{letter}"
    return str(number)


def config_of(facts: WeightsFacts) -> ModelConfig:
    """Describe weights as the config blob of a new model does."""
    return ModelConfig(
        model_format="gguf",
        model_family=facts.architecture,
        model_families=(facts.architecture,),
        model_type=human_number(facts.parameter_count),
        file_type=file_type_name(facts.file_type),
    )


def model_info(
    config: ModelConfig, facts: WeightsFacts | None, *, parent: str = "", lengths: bool = False
) -> ModelInfo:
    """Collect the details of a model; what the config leaves out, the weights say.

    Args:
        config: Its config.
        facts: Of its weights; None: there are none that can be read.
        parent: The model that the weights were taken from, where that is to be said.
        lengths: Whether to say the lengths of context and embeddings, as lists do.
    """
    own = config_of(facts) if facts is not None else ModelConfig()
    family = config.model_family or own.model_family
    context = config.context_length or (0 if facts is None else facts.context_length)
    embedding = config.embedding_length or (0 if facts is None else facts.embedding_length)
    return ModelInfo(
        parent_model=parent,
        format=config.model_format or own.model_format,
        family=family,
        families=config.model_families or ((family,) if family else ()),
        parameter_size=config.model_type or own.model_type,
        quantization_level=config.file_type or own.file_type,
        context_length=context if lengths else 0,
        embedding_length=embedding if lengths else 0,
    )
