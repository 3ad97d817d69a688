from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorllm.protocol.durations import (
    FOREVER,
    LONGEST,
    format_duration,
    format_time,
    keep_alive,
    parse_duration,
)
from actorllm.protocol.errors import Refused

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("+0", 0),
        ("5s", 5 * SECOND),
        ("-1m", -60 * SECOND),
        ("+1.5h", 5400 * SECOND),
        ("1h15m30.918273645s", 4530_918273645),
        (".5s", SECOND // 2),
        ("1.s", SECOND),
        ("3us", 3000),
        ("3µs", 3000),
        ("3μs", 3000),
        ("10ns", 10),
        ("100ms", 100_000_000),
        ("9223372036854775807ns", LONGEST),
        ("-9223372036854775808ns", -LONGEST - 1),
        ("0.3333333333333333333h", 1200 * SECOND - 1),
    ],
)
def test_durations_are_read(text, nanoseconds):
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("soon", 'time: invalid duration "soon"'),
        (".", 'time: invalid duration "."'),
        (".s", 'time: invalid duration ".s"'),
        ("10", 'time: missing unit in duration "10"'),
        ("1m5", 'time: missing unit in duration "1m5"'),
        ("1.", 'time: missing unit in duration "1."'),
        ("5 m", 'time: unknown unit " m" in duration "5 m"'),
        ("5d", 'time: unknown unit "d" in duration "5d"'),
        ("1-2s", 'time: unknown unit "-" in duration "1-2s"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
        ("3000000h", 'time: invalid duration "3000000h"'),
        ("-9223372036854775809ns", 'time: invalid duration "-9223372036854775809ns"'),
        ('"x\n', r'time: invalid duration "\"x\x0a"'),
        ("1é", r'time: unknown unit "\xc3\xa9" in duration "1\xc3\xa9"'),
        ("٣s", r'time: invalid duration "\xd9\xa3s"'),
        ("1s" * 1000, f'time: invalid duration "{"1s" * 50}"'),
    ],
)
def test_what_is_no_duration_says_why(text, problem):
    with pytest.raises(ValueError, match="time:") as error:
        parse_duration(text)
    assert str(error.value) == problem


@given(st.text("0123456789.+-nuµmsh x", max_size=12))
def test_any_text_is_a_duration_or_a_plain_error(text):
    try:
        nanoseconds = parse_duration(text)
    except ValueError:
        return
    assert -LONGEST - 1 <= nanoseconds <= LONGEST


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (999, "999ns"),
        (1500, "1.5µs"),
        (250_000, "250µs"),
        (2_200_000, "2.2ms"),
        (SECOND, "1s"),
        (1_500_000_000, "1.5s"),
        (90 * SECOND, "1m30s"),
        (3600 * SECOND, "1h0m0s"),
        (-3661 * SECOND - 1, "-1h1m1.000000001s"),
    ],
)
def test_durations_are_written(nanoseconds, text):
    assert format_duration(nanoseconds) == text


@given(st.integers(-LONGEST - 1, LONGEST))
def test_a_written_duration_reads_back(nanoseconds):
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        (None, None),
        (0, 0),
        (300, 300 * SECOND),
        (0.5, SECOND // 2),
        (-1, FOREVER),
        (-0.1, FOREVER),
        (1e300, FOREVER),
        (10**400, FOREVER),
        ("5m", 300 * SECOND),
        ("0", 0),
        ("-1m", FOREVER),
        ("1000000h", 3_600_000_000 * SECOND),
    ],
)
def test_keep_alive_is_seconds_or_a_duration(value, nanoseconds):
    assert keep_alive(value) == nanoseconds


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("10", 'time: missing unit in duration "10"'),
        ("", 'time: invalid duration ""'),
        (True, "Unsupported type: 'bool'"),
        ([], "Unsupported type: '[]interface {}'"),
        ({}, "Unsupported type: 'map[string]interface {}'"),
    ],
)
def test_any_other_keep_alive_is_refused(value, problem):
    with pytest.raises(Refused) as refusal:
        keep_alive(value)
    assert str(refusal.value) == problem
    assert refusal.value.problem.status == 400


@pytest.mark.parametrize(
    ("nanoseconds", "minutes", "text"),
    [
        (0, 0, "1970-01-01T00:00:00Z"),
        (1_795_238_741_120_300_000, 0, "2026-11-21T05:25:41.1203Z"),
        (1_795_238_741_000_000_001, 60, "2026-11-21T06:25:41.000000001+01:00"),
        (1_795_238_741_000_000_000, -210, "2026-11-21T01:55:41-03:30"),
        (-1, 0, "1969-12-31T23:59:59.999999999Z"),
        (-62_135_596_800 * SECOND, 0, "0001-01-01T00:00:00Z"),
    ],
)
def test_times_have_only_the_decimals_they_need(nanoseconds, minutes, text):
    assert format_time(nanoseconds, timezone(timedelta(minutes=minutes))) == text


def test_a_time_in_the_machines_zone_is_the_same_moment():
    assert format_time(0, None).startswith(("1970-01-01T", "1969-12-31T"))
