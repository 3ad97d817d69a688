"""Built-in renderers: the prompt formats of models that bring no template of their own.

Each family has a module; `render` finds the renderer by the name that a model's config gives.
"""

from actorllm.actors.runner.prompt.renderers.registry import (
    RENDERER_BOS,
    RENDERERS,
    render,
    resolve,
)

__all__ = ["RENDERERS", "RENDERER_BOS", "render", "resolve"]
