"""A supervisor of transfers: whoever wants a blob that is on its way follows, instead of another one."""

from collections.abc import AsyncGenerator, Callable
from typing import Final

import trio

from actorllm.actors.downloader.transfer import Transfer
from actorllm.actors.kernel import ActorDied, ChildSpec, DynamicSupervisor, Ref, Restart
from actorllm.protocol.errors import Refused
from actorllm.protocol.messages.transfers import FollowTransfer, TransferProgress

__all__ = ["Transfers"]

_MAX_DEATHS: Final = 5
"""Transfers of one blob that may die under one who follows."""
_FORGOTTEN: Final = 0.05
"""Seconds between looks whether a failed transfer is gone."""


class Transfers(DynamicSupervisor):
    """Has a child for each blob on its way."""

    async def share(
        self, id_: str, make: Callable[[], Transfer], wanted: str
    ) -> AsyncGenerator[TransferProgress, None]:
        """Follow a transfer; begin it if nobody has.

        One that dies is begun again, and goes on where it ended. One that another has begun,
        perhaps with another registry or other credentials, may fail where ours would not.

        Args:
            id_: Of the transfer.
            make: Makes its actor.
            wanted: The digest that it shall have in the end.

        Raises:
            Refused: Ours cannot be done.
        """
        deaths = 0
        while True:
            transfer, is_ours = await self._find(id_, make)
            try:
                async with transfer.stream(FollowTransfer()) as items:
                    async for item in items:
                        if item.found not in {None, wanted} and not is_ours:
                            break
                        yield item
                    else:
                        return
            except Refused:
                if is_ours:
                    raise
            except ActorDied as e:
                deaths += 1
                if deaths > _MAX_DEATHS:
                    raise Refused.because(
                        500, "the transfer has failed too often; the server's log says more"
                    ) from e
            await trio.sleep(_FORGOTTEN)

    async def _find(self, id_: str, make: Callable[[], Transfer]) -> tuple[Ref, bool]:
        """Find a transfer, or begin it: then it is ours."""
        if id_ in self.children:
            return self.ref_of(id_), False
        spec = ChildSpec(id_, make, restart=Restart.TEMPORARY, shutdown=2.0)
        return await self.start_child(spec), True
