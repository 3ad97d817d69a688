"""The real daemon and the real registry with tokens: who is known comes in, and others do not."""

import pytest

from actorllm.actors.library.catalog import BUILTIN_ROOT
from tests.registry.server import PASSWORD, USER
from tests.registry.tokens import gated_registry

REFUSED = "unauthorized: access denied"


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    with gated_registry(tmp_path_factory.mktemp("registry")) as (gate, _):
        yield gate


def send(daemon, what, name, **who):
    """Push or pull; returns what is said in the end."""
    answer = daemon.post(f"/api/{what}", model=name, insecure=True, stream=False, **who).json()
    return answer.get("status") or answer["error"]


def there_and_back(daemon, name, **who):
    """Push the seedling, delete it, pull it into the empty store; returns its files."""
    daemon.post("/api/copy", source="seedling", destination=name).raise_for_status()
    assert send(daemon, "push", name, **who) == "success"
    daemon.client.request("DELETE", "/api/delete", json={"model": name}).raise_for_status()
    assert list((daemon.models / "blobs").glob("sha256-*")) == []
    assert send(daemon, "pull", name, **who) == "success"
    return files(daemon.models)


def files(root):
    found = [*root.glob("blobs/sha256-*"), *root.glob("manifests/*/*/*/*")]
    return sorted((path.name, path.read_bytes()) for path in found)


def test_a_password_buys_tokens_for_a_push_and_a_pull(gated, daemon):
    name = f"{gated.host}/library/bought"
    gated.given.clear()
    who = {"username": USER, "password": PASSWORD}
    original = dict(files(BUILTIN_ROOT))
    back = dict(there_and_back(daemon, name, **who))
    assert set(back) <= set(original)
    assert all(original[name] == data for name, data in back.items())
    assert {subject for subject, _ in gated.given} == {USER}
    scopes = {scope for _, scopes in gated.given for scope in scopes}
    assert any("push" in scope for scope in scopes)
    assert all(scope.startswith("repository:library/bought:") for scope in scopes)


def test_the_key_of_the_daemon_is_an_account(gated, daemon):
    name = f"{gated.host}/library/signed"
    gated.keys.append(daemon.client.get("/api/key").json()["key"])
    gated.given.clear()
    assert there_and_back(daemon, name)
    assert {subject for subject, _ in gated.given} == {"a key"}
    gated.keys.clear()


def test_who_is_not_known_gets_nothing(gated, daemon):
    name = f"{gated.host}/library/closed"
    assert send(daemon, "pull", name).endswith(REFUSED)
    assert send(daemon, "pull", name, username=USER, password="guess").endswith(REFUSED)
    daemon.post("/api/copy", source="seedling", destination=name).raise_for_status()
    assert send(daemon, "push", name).endswith(REFUSED)
