"""The types that weights can be converted to.

The numbers are those of llama.cpp's `enum llama_ftype`. Which types want an importance matrix was
tried out: llama.cpp refuses to make them without one.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

__all__ = ["QUANTIZATIONS", "Quantization", "canonical"]


@attrs.frozen
class Quantization:
    """A type of weights."""

    number: int
    """In `general.file_type`."""
    bits: float
    """For each weight, about: some tensors get other types."""
    needs_matrix: bool = False
    """It cannot be made without an importance matrix."""


def _table(rows: str) -> Mapping[str, Quantization]:
    types = {}
    for row in rows.strip().splitlines():
        name, number, bits, *matrix = row.split()
        types[name] = Quantization(int(number), float(bits), bool(matrix))
    return MappingProxyType(types)


QUANTIZATIONS: Final = _table("""
    F32        0  32
    F16        1  16
    BF16       32 16
    Q8_0       7  8.5
    Q6_K       18 6.6
    Q5_K_M     17 5.7
    Q5_K_S     16 5.6
    Q5_1       9  6.0
    Q5_0       8  5.5
    Q4_K_M     15 4.85
    Q4_K_S     14 4.6
    Q4_1       3  5.0
    Q4_0       2  4.5
    Q3_K_L     13 4.3
    Q3_K_M     12 3.9
    Q3_K_S     11 3.5
    Q2_K       10 3.0
    IQ4_NL     25 4.5
    IQ4_XS     30 4.3
    IQ3_M      27 3.7
    IQ3_S      26 3.5
    MXFP4_MOE  38 4.5
    TQ2_0      37 2.1
    TQ1_0      36 1.7
    Q2_0       41 2.3
    Q1_0       40 1.2
    Q2_K_S     21 2.7 matrix
    IQ3_XS     22 3.3 matrix
    IQ3_XXS    23 3.1 matrix
    IQ2_M      29 2.7 matrix
    IQ2_S      28 2.5 matrix
    IQ2_XS     20 2.4 matrix
    IQ2_XXS    19 2.1 matrix
    IQ1_M      31 1.9 matrix
    IQ1_S      24 1.7 matrix
""")
"""By name, the usual ones first."""

_ALIASES: Final = {
    "Q5_K": "Q5_K_M",
    "Q4_K": "Q4_K_M",
    "Q3_K": "Q3_K_M",
    "MXFP4": "MXFP4_MOE",
}


def canonical(name: str) -> str:
    """Return the name of a type as the table has it; an unknown one in capitals."""
    upper = name.upper()
    return _ALIASES.get(upper, upper)
