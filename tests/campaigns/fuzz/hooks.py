"""What schemathesis is told of this server; runs in schemathesis' own environment.

Half of the cases get a model that is there, so that they reach it, and few tokens. Transfers are
pointed at a port where nobody listens: the campaign stays on this machine.
"""

import json
import re
import zlib

import jsonschema_rs
import schemathesis

MODELS = {"/api/embed": "bert", "/api/embeddings": "bert", "/v1/embeddings": "bert"}
TRANSFERS = {"/api/pull", "/api/push"}
NOWHERE = "127.0.0.1:9/library/nothing"
KEPT = ("seedling", "bert")
"""Models that cases shall not delete or write over."""
FEW_TOKENS = 8
NANOSECOND = 1e-9
ZERO = re.compile(r"[-+]?(?:0|(?:0+(?:\.0*)?(?:ns|us|µs|ms|s|m|h))+)")
LARGEST = 2**63 - 1
"""What is beyond is there to be refused."""
BOUNDS = {
    "/v1/chat/completions": "max_tokens",
    "/v1/completions": "max_tokens",
    "/v1/responses": "max_output_tokens",
}

# Texts of documented answers with 500 and above: the wire has them for what a client did wrong.
EXPECTED = (
    'option \\"',
    "pull model manifest",
    "invalid format",
    "invalid JSON schema",
    "account unavailable",
    "server busy",
    "does not support embeddings",
)


@schemathesis.serializer("application/x-tar")
def write_tar(context, value):
    """Send what was made up as it is: no archive."""
    return {"data": value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")}


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body
    if not isinstance(body, dict):
        return
    path = case.operation.path
    if path in TRANSFERS:
        case.body = body | {"model": NOWHERE, "insecure": True}
    elif path in {"/api/delete", "/api/create"}:
        kept = {key: "fuzzed" for key in ("model", "name") if body.get(key) in KEPT}
        case.body = body | kept
    elif isinstance(body.get("model"), str):
        reached = {"model": MODELS.get(path, "seedling")} if _half(body) else {}
        case.body = _short(path, body | reached)


def _half(body):
    """Decide for half of the bodies, for the same ones in each run."""
    return zlib.crc32(json.dumps(body, sort_keys=True, default=str).encode()) % 2 == 0


def _is_zero(keep_alive):
    """Whether a model is unloaded at once: then nobody looks at the options, as on the reference."""
    if isinstance(keep_alive, str):
        return ZERO.fullmatch(keep_alive) is not None
    is_number = isinstance(keep_alive, int | float) and not isinstance(keep_alive, bool)
    return is_number and abs(keep_alive) < NANOSECOND


def _short(path, body):
    options = body.get("options") or {}
    if path in {"/api/generate", "/api/chat"} and isinstance(options, dict):
        kept = {"keep_alive": 1} if options and _is_zero(body.get("keep_alive", 1)) else {}
        return body | {"options": options | {"num_predict": FEW_TOKENS}} | kept
    for key in ("max_tokens", "max_output_tokens"):
        if isinstance(body.get(key), int) and FEW_TOKENS < body[key] <= LARGEST:
            return body | {key: FEW_TOKENS}
    bound = BOUNDS.get(path)
    return body | {bound: FEW_TOKENS} if bound and bound not in body else body


@schemathesis.check
def expected_server_errors(ctx, response, case):
    """No 500 but those that the wire has for mistakes of clients."""
    if response.status_code < 500:
        return
    text = response.content.decode("utf-8", "replace")
    if not any(expected in text for expected in EXPECTED):
        raise AssertionError(f"{response.status_code}: {text[:300]}")


@schemathesis.check
def lines_conformance(ctx, response, case):
    """Each line of NDJSON is what the document says."""
    kind = response.headers.get("content-type", [""])[0]
    if not kind.startswith("application/x-ndjson"):
        return
    raw = case.operation.schema.raw_schema
    said = raw["paths"][case.operation.path][case.operation.method.lower()]["responses"]
    schema = said[str(response.status_code)]["content"]["application/x-ndjson"]["schema"]
    validator = jsonschema_rs.validator_for(schema | {"components": raw["components"]})
    for line in response.content.splitlines():
        for error in validator.iter_errors(json.loads(line)):
            raise AssertionError(f"{error.message} in {line[:300]!r}")
