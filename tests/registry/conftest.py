"""The real registry, for the real daemon."""

from tests.registry.fixtures import big, proxy, registry

__all__ = ["big", "proxy", "registry"]
