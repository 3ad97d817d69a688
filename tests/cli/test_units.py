from datetime import UTC, datetime, timedelta

import pytest

from actorllm.cli.units import ago, byte_size, count, parse_time, span

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (1500, "1.5 KB"),
        (4_661_224_676, "4.7 GB"),
        (16_946_000_000, "16 GB"),
        (2 * 10**12, "2 TB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_sizes_are_decimal_with_one_decimal_below_ten(size, text):
    assert byte_size(size) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(950, "950"), (4_459_264, "4.5M"), (134_000_000, "134M"), (8_030_261_312, "8.0B")],
)
def test_parameters_are_counted_in_thousands_millions_and_billions(number, text):
    assert count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (150, "2 minutes"),
        (3600, "About an hour"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (14 * 86400, "2 weeks"),
        (60 * 86400, "2 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_times_are_said_in_one_rough_unit(seconds, text):
    assert span(timedelta(seconds=seconds)) == text


def test_the_past_is_ago_and_the_future_from_now():
    assert ago(NOW - timedelta(days=3), NOW) == "3 days ago"
    assert ago(NOW + timedelta(minutes=4), NOW) == "4 minutes from now"


@pytest.mark.parametrize("text", ["", "yesterday", "0001-01-01T00:00:00Z"])
def test_what_is_no_time_was_never(text):
    assert ago(parse_time(text), NOW) == "Never"
