"""Dates and times as regular expressions: RFC 3339, without leap seconds and without the year 0.

The last day of February needs a leap year, and many readers know no year 0.
"""

__all__ = ["DATE", "DATE_TIME", "TIME"]

_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_DAY = (
    "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    "|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_FOURTH = "(0[48]|[2468][048]|[13579][26])"
_LEAP_DAY = f"([0-9]{{2}}{_FOURTH}|{_FOURTH}00)-02-29"

DATE = f"({_YEAR}-{_DAY}|{_LEAP_DAY})"
TIME = (
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
DATE_TIME = f"{DATE}[Tt]{TIME}"
