"""Base64 as Go's standard encoding reads it, with its texts of errors."""

import binascii
import re

__all__ = ["Base64Error", "decode"]

_ALPHABET = re.compile(r"[A-Za-z0-9+/\r\n]*")
_NEWLINES = str.maketrans("", "", "\r\n")


class Base64Error(ValueError):
    """The text is not padded standard base64."""


def decode(text: str) -> bytes:
    """Decode padded standard base64; line breaks are ignored.

    Raises:
        Base64Error: With the place of the first bad character.
    """
    if "\n" in text or "\r" in text:
        text = text.translate(_NEWLINES)
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error, or characters beyond ASCII
        raise Base64Error(f"illegal base64 data at input byte {_bad_place(text)}") from None


def _bad_place(text: str) -> int:
    match = _ALPHABET.match(text)
    good = match.end() if match else 0
    if good == len(text):
        return good - good % 4  # cut within a group of four: Go names the group
    if text[good] != "=" or good % 4 < 2:
        return good
    if good % 4 == 3:
        return good + 1  # something follows the padding
    if good + 1 == len(text):
        return good + 1
    return good + 2 if text[good + 1] == "=" else good
