from itertools import pairwise

import pytest

from actorllm.protocol.version import COMPAT, is_newer, unmet

IN_ORDER = (
    "0.9.10", "0.14.0-alpha", "0.14.0-alpha.1", "0.14.0-alpha.beta", "0.14.0-beta.2", "0.14.0-beta.11",
    "0.14.0-rc.1", "0.14", "0.14.1", "v1", "1.0.1+build", "2.0.0", "10.0.0",
)  # fmt: skip


@pytest.mark.parametrize(("older", "newer"), list(pairwise(IN_ORDER)))
def test_versions_are_ordered_as_semver_does(older, newer):
    assert is_newer(newer, older)
    assert not is_newer(older, newer)
    assert not is_newer(newer, newer)


def test_what_is_left_out_is_zero_and_a_build_has_no_rank():
    assert not is_newer("1.0.0+b", "1")
    assert not is_newer("1", "v1.0.0+a")
    assert is_newer("9" * 5000, "8" * 5000)


@pytest.mark.parametrize("text", ["", "latest", "1.2.3.4", "1 ", "٣"])
def test_what_is_no_version_comes_after_none(text):
    assert not is_newer(text, "0.0.1")
    assert not is_newer("9", text)


def test_only_what_is_newer_than_this_server_is_not_met():
    assert unmet("") is unmet(COMPAT) is unmet("0.1") is None
    assert (unmet("99.1") or "").startswith("requires version 99.1 or newer, and this server is ")
