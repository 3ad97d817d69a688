"""What a checkpoint can be refused for."""

__all__ = ["ConvertError"]


class ConvertError(Exception):
    """The checkpoint is damaged, or of a kind that is not converted. The text is for its user."""
