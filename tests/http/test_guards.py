"""Who may call."""

import attrs
import httpx
import pytest

from actorllm.http.guards import Origins, allowed_host
from actorllm.http.redirects import clean_path
from actorllm.protocol.address import Address


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost", True),
        ("https://127.0.0.1:8443", True),
        ("http://0.0.0.0:1", True),
        ("app://x", True),
        ("vscode-file://x", True),
        ("http://localhost.evil.example", False),
        ("http://localhost:80x", False),
        ("http://example.com", False),
        ("null", False),
        ("chrome-extension://x", False),
        ("https://mine.example", True),
        ("https://a.star.example", True),
        ("https://star.example.evil", False),
    ],
)
def test_origins_are_local_or_named(origin, allowed):
    origins = Origins(("https://mine.example", "https://*.star.example"))
    assert origins.allows(origin) is allowed


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("", True),
        ("localhost:11434", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("[::1]:80", True),
        ("10.1.2.3:80", True),
        ("box:80", True),
        ("a.local", True),
        ("a.internal:1", True),
        ("example.com", False),
        ("8.8.8.8", False),
        ("[2001:4860:4860::8888]", False),
        ("localhost.example.com", False),
        ("[", True),
    ],
)
def test_hosts_are_of_this_machine_or_its_network(host, allowed):
    assert allowed_host(host, own_name="box") is allowed


@pytest.fixture
def settings(settings):
    return attrs.evolve(settings, host=Address("0.0.0.0", 0))


async def test_a_server_for_the_network_takes_any_host(world):
    async with httpx.AsyncClient(base_url=world.url, trust_env=False) as http:
        answer = await http.get("/", headers={"Host": "llm.example.com"})
    assert answer.status_code == 200


async def test_every_answer_has_an_id_of_its_own(client):
    answers = [await client.get("/"), await client.get("/nope")]
    answers.append(await client.post("/api/chat", json={"model": "text"}))
    assert len({a.headers["x-request-id"] for a in answers}) == 3


async def test_a_slash_too_many_keeps_the_query(world):
    async with httpx.AsyncClient(base_url=world.url, trust_env=False) as http:
        asked = await http.get("/api/tags/?a=%20b&c")
        looked = await http.head("/api/tags/")
    assert (asked.status_code, asked.headers["location"]) == (301, "/api/tags?a=%20b&c")
    assert asked.text == '<a href="/api/tags?a=%20b&amp;c">Moved Permanently</a>.\n\n'
    assert (looked.status_code, looked.headers["content-type"]) == (307, "text/html; charset=utf-8")


async def test_options_of_a_host_with_a_name_are_answered(make_world, settings, nursery):
    world = make_world()
    world.settings = attrs.evolve(settings, host=Address("127.0.0.1", 0))
    async with world.running(), httpx.AsyncClient(base_url=world.url, trust_env=False) as http:
        answers = [
            await http.options(path, headers={"Host": host})
            for path in ("/api/chat", "/nope")
            for host in ("localhost:1", "127.0.0.1:1")
        ]
    assert [a.status_code for a in answers] == [204, 405, 204, 404]
    assert [a.headers.get("allow") for a in answers] == ["POST", "POST", None, None]


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/", "/"),
        ("//", "/"),
        ("/api/tags", "/api/tags"),
        ("/api/tags/", "/api/tags/"),
        ("/api//tags", "/api/tags"),
        ("/api/tags//", "/api/tags/"),
        ("/./api/../v1/models", "/v1/models"),
        ("/../../x/./", "/x/"),
    ],
)
def test_a_path_is_cleaned_of_empty_parts_and_dots(path, clean):
    assert clean_path(path) == clean


async def test_a_path_with_empty_parts_moves_to_the_plain_one(world):
    async with httpx.AsyncClient(base_url=world.url, trust_env=False) as http:
        asked = await http.get("/nope//x?a=1", headers={"Host": "evil.example"})
        posted = await http.post("/api//chat", json={})
    assert (asked.status_code, asked.headers["location"]) == (301, "/nope/x?a=1")
    assert asked.text == '<a href="/nope/x?a=1">Moved Permanently</a>.\n\n'
    assert (posted.status_code, posted.headers["location"]) == (301, "/api/chat")
    assert posted.content == b""


async def test_a_refused_origin_still_learns_what_a_route_allows(client):
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = await client.options("/api/chat", headers=asked)
    assert (answer.status_code, answer.headers["allow"]) == (403, "POST")
