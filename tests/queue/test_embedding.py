"""Texts to vectors."""

from actorllm.actors.runner.messages import Embed
from actorllm.protocol.messages.generation import EmbedRequest
from actorllm.protocol.messages.models import ResolveModel
from actorllm.protocol.messages.scheduling import Acquire


async def test_texts_are_embedded(autojump_clock, world):
    async with world() as w:
        request = EmbedRequest(
            "m", ("a", "b"), truncate=False, dimensions=4, options={"num_ctx": 9}
        )
        vectors = await w.embed(request)
        assert (vectors.vectors, vectors.prompt_eval_count) == (((0.5, 1.5),), 3)
        assert w.library.received(ResolveModel) == [ResolveModel("m", "embed")]
        [work] = w.runner.received(Embed)
        assert work == Embed(("a", "b"), truncate=False, normalize=True, dimensions=4, num_ctx=9)


async def test_no_texts_load_the_model_alone(autojump_clock, world):
    async with world() as w:
        assert (await w.embed(EmbedRequest("m", ()))).vectors == ()
        assert w.runner.messages == []
        assert len(w.scheduler.received(Acquire)) == 1


async def test_the_old_dialect_of_embeddings_is_told_to_the_library(autojump_clock, world):
    async with world() as w:
        await w.embed(EmbedRequest("m", ("a",), normalize=False))
        assert w.library.received(ResolveModel) == [ResolveModel("m", "embeddings")]
