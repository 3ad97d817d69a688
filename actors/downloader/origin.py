"""A repository of a registry and the URLs of what is in it."""

from collections.abc import Sequence
from urllib.parse import urlencode

import attrs
import httpx

from actorllm.protocol.errors import Refused
from actorllm.protocol.names import DEFAULT_HOST, Name

__all__ = ["Origin"]


@attrs.frozen
class Origin:
    """Where a model comes from or goes to, without its tag."""

    scheme: str
    """`https`, or `http` where the user said `insecure`."""
    host: str
    """As the name has it, perhaps with a port."""
    repository: str
    """`namespace/model`."""

    @classmethod
    def of(cls, name: Name, *, insecure: bool) -> "Origin":
        """Return the repository of a valid name.

        Raises:
            Refused: The host is none that can be asked: 400.
        """
        origin = cls("http" if insecure else "https", name.host, f"{name.namespace}/{name.model}")
        try:
            url = httpx.URL(origin.manifest(name.tag))
        except httpx.InvalidURL:
            url = httpx.URL("")
        is_same = url.netloc.decode("ascii") in {name.host, name.host.lower()}
        if not (url.host and is_same and (url.port is None or 0 < url.port < 65536)):
            raise Refused.because(400, f"{name.host!r} is not the address of a registry")
        return origin

    def mirrored(self, mirrors: Sequence[tuple[str, str]]) -> "Origin | None":
        """Return the same repository on a mirror; None: there is none for this registry.

        Args:
            mirrors: Host of a registry (empty: the default one), and the URL of its mirror.
        """
        for host, mirror in mirrors:
            if (host or DEFAULT_HOST) == self.host.lower():
                scheme, _, place = mirror.partition("://")
                return attrs.evolve(self, scheme=scheme, host=place)
        return None

    def manifest(self, reference: str) -> str:
        return f"{self._base}/manifests/{reference}"

    def blob(self, digest: str) -> str:
        return f"{self._base}/blobs/{digest}"

    def uploads(self, mount: str = "", source: str = "") -> str:
        """Return where an upload begins.

        Args:
            mount: Digest of a blob that may be in another repository of the registry already.
            source: That repository.
        """
        query = urlencode({"mount": mount, "from": source}) if mount else ""
        return f"{self._base}/blobs/uploads/" + (f"?{query}" if query else "")

    @property
    def base(self) -> str:
        """Scheme and host."""
        return f"{self.scheme}://{self.host}"

    @property
    def _base(self) -> str:
        return f"{self.base}/v2/{self.repository}"
