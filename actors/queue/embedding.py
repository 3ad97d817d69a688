"""An embedding from its model to its vectors, asked for again where runners die."""

from actorllm.actors.kernel import ActorDied, AskTimeout, BadMessage
from actorllm.actors.queue.attempts import Attempts
from actorllm.actors.queue.checks import check_pooling
from actorllm.actors.queue.work import definite, embedding_work
from actorllm.actors.runner.messages import Embedded
from actorllm.protocol.messages.generation import Embeddings, EmbedRequest

__all__ = ["embed"]

_NOTHING = Embedded((), 0)


async def embed(request: EmbedRequest, attempts: Attempts) -> Embeddings:
    """Give the vectors of a request; without inputs its model is loaded all the same.

    Raises:
        Refused: They cannot be had.
        KernelError: Another actor is dead or silent for too long.
    """
    progress = attempts.progress
    model = await attempts.resolve("embed" if request.normalize else "embeddings")
    check_pooling(request, model)
    options, _ = definite(model, {}, request.options)
    work = embedding_work(request, options)
    while True:
        runner = ""
        try:
            async with attempts.lease(model, options) as lease:
                if not (request.inputs or request.tokens):
                    return progress.embeddings(_NOTHING)
                runner = lease.runner
                async with attempts.runner(lease).stream(work) as items:
                    embedded = await anext(items)
                await attempts.report(lease)
            return progress.embeddings(embedded)
        except ActorDied as e:
            observed = progress.failovers > 0 and e.path == runner
            attempts.note_death(e, observed=observed, advanced=False)
        except (AskTimeout, BadMessage) as e:
            attempts.note_lost(e)
        await attempts.pause()
