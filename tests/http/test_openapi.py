"""The document says of every route what the code does."""

import ast
import json
import re
from pathlib import Path

import pytest
import structlog
from jsonschema import Draft202012Validator

from actorllm.actors.kernel import Node
from actorllm.http.app import create_app
from actorllm.http.openapi.document import DIALECTS, document
from actorllm.http.openapi.schema import Components, Notes
from actorllm.http.wire.binding import bind, body, given, struct_of
from actorllm.http.wire.values import Checked, Custom, List, Map
from actorllm.protocol.options import Options

HTTP = Path(__file__).parents[2] / "http"
OPERATIONS = [o for dialect in DIALECTS for o in dialect.operations]
SCHEMAS = document()["components"]["schemas"]


@pytest.fixture
def routes(settings):
    """Methods and paths of the application."""
    app = create_app(Node("test"), settings, structlog.get_logger())
    return {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods
    }


def test_the_document_has_every_route_and_no_other(routes):
    assert {(o.method, o.path) for o in OPERATIONS} == routes
    assert len(OPERATIONS) == len(routes)


def bodies_of_routes():
    """Which class each route binds its body to, read off the source."""
    for file in sorted(HTTP.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.AsyncFunctionDef):
                yield from _bodies(node)


def _bodies(function):
    calls = [c for c in ast.walk(function) if isinstance(c, ast.Call)]
    read = [
        c.args[0].id
        for c in calls
        if isinstance(c.func, ast.Name) and c.func.id in {"read_body", "read"}
    ]
    for route in function.decorator_list:
        if isinstance(route, ast.Call) and isinstance(route.func, ast.Attribute):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.args[0].value)
            yield from ((route.func.attr.upper(), path, name) for name in read)


def test_the_bodies_are_those_that_the_routes_read():
    said = {(o.method, o.path, o.body.__name__) for o in OPERATIONS if o.body is not None}
    read = set(bodies_of_routes())
    assert len(read) > 15
    assert said == read


@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if o.body is not None], ids=lambda o: o.path
)
def test_the_fields_of_a_body_are_those_that_are_bound(operation):
    struct = struct_of(operation.body)
    assert set(SCHEMAS[struct.go]["properties"]) == set(struct.fields)
    assert set(operation.required) <= set(struct.fields)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_every_note_is_about_a_field_that_exists(dialect):
    for struct, notes in dialect.notes.fields.items():
        known = SCHEMAS[struct]["properties"] if struct != "*" else all_fields(dialect)
        assert set(notes) <= set(known), struct


def all_fields(dialect):
    components: dict = {}
    for operation in dialect.operations:
        if operation.body is not None:
            Components(components, Notes()).of(struct_of(operation.body))
    return {key for schema in components.values() for key in schema["properties"]}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.method} {o.path}")
def test_every_operation_has_a_summary_answers_and_refusals(operation):
    described = document()["paths"][operation.path][operation.method.lower()]
    assert described["summary"]
    assert described["responses"].keys() >= {"403", "500", "503"}
    assert all(re.fullmatch(r"[1-5]\d\d", status) for status in described["responses"])


def test_every_example_binds_and_fits_its_schema():
    examples = [o for o in OPERATIONS if o.example is not None]
    assert len(examples) > 10
    for operation in examples:
        bind(operation.body, json.dumps(operation.example).encode())
        schema = {"$ref": f"#/components/schemas/{struct_of(operation.body).go}"}
        whole = schema | {"components": document()["components"]}
        assert list(Draft202012Validator(whole).iter_errors(operation.example)) == []


def test_every_schema_is_one():
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_nothing_is_left_over():
    text = json.dumps(document())
    used = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert used == set(SCHEMAS)
    for kind in ("responses", "headers"):
        found = set(re.findall(rf'"#/components/{kind}/([^"]+)"', text))
        assert found <= set(document()["components"][kind])


def test_identifiers_of_operations_differ():
    names = [o["operationId"] for path in document()["paths"].values() for o in path.values()]
    assert len(names) == len(set(names))


def test_options_are_those_that_models_have():
    assert set(SCHEMAS["api.Options"]["properties"]) == set(Options.__annotations__)
    assert SCHEMAS["api.Options"]["properties"]["temperature"]["default"] == 0.8


@body("test.Part")
class Part:
    name: str = ""


_EVEN = Custom(int, schema={"type": "integer", "multipleOf": 2})


@body("test.Body")
class Body:
    text: str = ""
    share: float | None = None
    data: bytes = b""
    part: Part = Part()
    parts: tuple[Part, ...] = ()
    names: dict[str, str] | None = None
    anything: object = given(default=None, kind=Map(List(_EVEN)))
    source: tuple = given(default=(), key="from", kind=Checked(List(struct_of(Part))))


def test_every_kind_of_the_wire_has_a_schema():
    schemas: dict = {}
    notes = Notes({"*": {"text": "for all"}, "test.Body": {"share": {"maximum": 1}}})
    assert Components(schemas, notes).of(struct_of(Body)) == {
        "$ref": "#/components/schemas/test.Body"
    }
    fields = schemas["test.Body"]["properties"]
    part = {"anyOf": [{"$ref": "#/components/schemas/test.Part"}, {"type": "null"}]}
    assert fields["text"] == {"type": ["string", "null"], "description": "for all"}
    assert fields["share"] == {"type": ["number", "null"], "format": "double", "maximum": 1}
    assert fields["data"]["anyOf"][0]["contentEncoding"] == "base64"
    assert fields["part"] == part
    assert fields["parts"] == fields["from"] == {"type": ["array", "null"], "items": part}
    assert fields["names"]["additionalProperties"] == {"type": ["string", "null"]}
    assert fields["anything"]["additionalProperties"]["items"] == {
        "type": ["integer", "null"],
        "multipleOf": 2,
    }


async def test_the_document_is_served(client):
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(json.dumps(document()))


async def test_the_page_runs_nothing_and_loads_nothing(client):
    answer = await client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in answer.text
    assert re.findall(r'(?:src|href)="(?!#|/openapi\.json")[^"]*"', answer.text) == []
    assert "style=" not in answer.text


async def test_the_page_shows_every_operation_and_every_schema(client):
    text = (await client.get("/docs")).text
    identifiers = set(re.findall(r'id="([^"]+)"', text))
    links = set(re.findall(r'href="#([^"]+)"', text))
    operations = {o["operationId"] for p in document()["paths"].values() for o in p.values()}
    assert identifiers >= operations | set(SCHEMAS)
    assert links <= identifiers


def test_a_body_of_two_operations_has_what_each_requires():
    paths = document()["paths"]
    content = paths["/v1/messages"]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"]["required"] == ["max_tokens"]
    assert SCHEMAS["anthropic.MessagesRequest"]["required"] == ["model", "messages"]


async def test_a_wrong_type_of_an_option_is_refused_where_the_dialect_has_a_stronger_word(client):
    wrong = {"model": "text", "prompt": "x", "max_tokens": 8, "options": {"num_predict": {}}}
    answer = await client.post("/v1/completions", json=wrong)
    assert answer.status_code == 500
    assert "num_predict" in answer.json()["error"]["message"]
