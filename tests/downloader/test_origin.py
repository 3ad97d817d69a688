import pytest

from actorllm.actors.downloader.origin import Origin
from actorllm.actors.downloader.retry import Policy, retry_after
from actorllm.protocol.errors import Refused
from actorllm.protocol.names import parse_name

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("name", "insecure", "url"),
    [
        ("m", False, "https://registry.ollama.ai/v2/library/m/manifests/latest"),
        ("u/m:t", False, "https://registry.ollama.ai/v2/u/m/manifests/t"),
        ("hf.co/u/m:Q4_K_M", False, "https://hf.co/v2/u/m/manifests/Q4_K_M"),
        ("localhost:5000/a/b", True, "http://localhost:5000/v2/a/b/manifests/latest"),
        ("http://h/a/b", False, "https://h/v2/a/b/manifests/latest"),
    ],
)
def test_names_are_places_in_a_registry(name, insecure, url):
    name = parse_name(name)
    assert Origin.of(name, insecure=insecure).manifest(name.tag) == url


@pytest.mark.parametrize("host", ["a:b", "a:1:2", "h:99999", "h:", "h..x:-1"])
def test_a_host_that_is_none_is_refused(host):
    name = parse_name(f"{host}/a/b")
    assert name.is_valid
    with pytest.raises(Refused, match="is not the address of a registry"):
        Origin.of(name, insecure=False)


def test_an_upload_may_begin_with_a_mount():
    origin = Origin("https", "h", "a/b")
    assert origin.uploads() == "https://h/v2/a/b/blobs/uploads/"
    assert origin.uploads(DIGEST, "c/d") == (
        f"https://h/v2/a/b/blobs/uploads/?mount=sha256%3A{'0' * 64}&from=c%2Fd"
    )


def test_waits_double_up_to_a_cap():
    policy = Policy(first=1, cap=8)
    assert [policy.wait(n, 0.5) for n in (1, 2, 3, 4, 5, 10**6)] == [1, 2, 4, 8, 8, 8]
    assert policy.wait(1, 0.0) == 0.75
    assert policy.wait(1, 0.5, asked=30.0) == 30.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5", 5.0), ("100000", 60.0), ("-1", None), ("", None), (None, None), ("soon", None),
     ("9" * 5000, None)],
)  # fmt: skip
def test_a_registry_may_ask_for_time_but_not_for_ever(header, seconds):
    assert retry_after(header) == seconds
