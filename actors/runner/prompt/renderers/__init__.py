"""Built-in renderers: the prompt formats of models that bring no template of their own.

`render` finds the renderer by the name that a model's config gives.

    registry     the renderers by name
    request      what a renderer is given

    cohere       Command
    deepseek     DeepSeek V3.1, Cogito
    gemma        Gemma 4, FunctionGemma
    glimmer      Glimmer
    glm          GLM 4.7, GLM-OCR
    lfm2         LFM2
    nemotron     Nemotron 3 and 3.5 Nano
    olmo         Olmo 3 and 3.1
    poolside     Laguna, Poolside v1
    qwen         Qwen3-Coder, Qwen3-VL, Qwen3.5, Qwen3.8, Ornith

    turns        what several of them need to know about the turns of a conversation
    qwen_tools   texts of tools, and calls, as Qwen and its relatives have them
    arg_tags     calls as pairs of tags, as GLM and Poolside have them
"""

from actorllm.actors.runner.prompt.renderers.registry import (
    RENDERER_BOS,
    RENDERERS,
    render,
    resolve,
)

__all__ = ["RENDERERS", "RENDERER_BOS", "render", "resolve"]
