"""How a reranker reads a query and a document: as one text of two parts."""

import attrs

__all__ = ["Pairing"]

_QUERY, _DOCUMENT = "{query}", "{document}"


@attrs.frozen
class Pairing:
    """What a model wants around and between the two."""

    template: str = ""
    """With `{query}` and `{document}`; empty: special tokens alone."""
    between: tuple[int, ...] = ()
    """Further tokens between the parts. BERT has one separator there, which ends the first part;
    RoBERTa and its kin were trained with two."""

    def parts(self) -> tuple[str, str, str]:
        """The template's text before the query, between the two, and behind the document."""
        before, _, rest = self.template.partition(_QUERY)
        middle, _, after = rest.partition(_DOCUMENT)
        return before, middle, after

    @property
    def usable(self) -> bool:
        """Whether the template names a query and a document, in this order."""
        at = self.template.find(_QUERY)
        return at >= 0 and self.template.find(_DOCUMENT, at) >= 0
