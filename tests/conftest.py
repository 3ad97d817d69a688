"""What all tests have in common: no test fails since the machine is slow."""

from hypothesis import settings

settings.register_profile("actorllm", parent=settings.default, deadline=None)
settings.load_profile("actorllm")
