"""The real registry behind a gate: tokens for those who may come in, from the registry's own host.

The gate answers `/token` and passes everything else on, as a reverse proxy does in front of a
registry. Its tokens are JSON Web Tokens (ES256, with the certificate in `x5c`), which docker-registry
verifies with its own code.
"""

import base64
import datetime as dt
import http.client
import json
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_ssh_public_key

from actorllm.actors.downloader.keypair import signed_bytes
from tests.registry.server import PASSWORD, USER, RealRegistry, real_registry

__all__ = ["Gate", "gated_registry"]

ISSUER, SERVICE = "the gate", "models"
SECONDS = 300
_PIECE = 256 * 1024
_HOP = {"connection", "transfer-encoding", "keep-alive"}


class Issuer:
    """Makes tokens that docker-registry believes."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ISSUER)])
        now = dt.datetime.now(dt.UTC)
        day = dt.timedelta(days=1)
        self.certificate = (
            x509.CertificateBuilder(name, name, self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def token(self, subject, access):
        now = int(time.time())
        chain = base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()
        claims = {"iss": ISSUER, "sub": subject, "aud": SERVICE, "jti": secrets.token_hex(8)}
        claims |= {"iat": now, "nbf": now - 10, "exp": now + SECONDS, "access": access}
        head = _part({"typ": "JWT", "alg": "ES256", "x5c": [chain]})
        signed = f"{head}.{_part(claims)}"
        pair = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_text(b''.join(half.to_bytes(32) for half in pair))}"


def _part(value):
    return _text(json.dumps(value).encode())


def _text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Gate(ThreadingHTTPServer):
    """Knows a user with a password, and keys. They may do everything, others nothing."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = Issuer()
        self.keys: list[str] = []
        """Public keys of those who are known, as ssh writes them."""
        self.given: list[tuple[str, list[str]]] = []
        """To whom a token was given, and what for."""
        self.behind = ""
        """Address and port of the registry."""

    @property
    def host(self):
        return f"127.0.0.1:{self.server_port}"

    def subject(self, url, authorization):
        """Who asks; empty: nobody that is known."""
        if authorization == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
            return USER
        public, _, signature = authorization.partition(":")
        for key in self.keys:
            if key.split()[1] == public:
                signed = signed_bytes("GET", f"http://{self.host}{url}")
                try:
                    load_ssh_public_key(key.encode()).verify(base64.b64decode(signature), signed)
                except InvalidSignature:
                    return ""
                return "a key"
        return ""

    def answer_token(self, url, authorization):
        """The reply to a request for a token."""
        subject = self.subject(url, authorization)
        if authorization and not subject:
            return 401, b"{}"
        scopes = parse_qs(urlsplit(url).query).get("scope", [])
        self.given.append((subject, scopes))
        access = []
        for scope in scopes if subject else ():
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        return 200, json.dumps({"token": self.issuer.token(subject, access)}).encode()

    def handle_error(self, request, client_address):
        """Clients that leave are no error."""


class _Handler(BaseHTTPRequestHandler):
    server: Gate
    protocol_version = "HTTP/1.1"

    def _pass(self):
        if self.path.startswith("/token"):
            self._token()
            return
        size = int(self.headers.get("content-length", 0))
        behind = http.client.HTTPConnection(self.server.behind, timeout=30)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
            behind.request(self.command, self.path, self.rfile.read(size), headers)
            with behind.getresponse() as reply:
                self._hand_on(reply)
        finally:
            behind.close()

    def _token(self):
        asked = self.headers.get("authorization", "")
        status, data = self.server.answer_token(self.path, asked)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _hand_on(self, reply):
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in _HOP | {"date", "server"}:
                self.send_header(name, value)
        self.end_headers()
        while piece := reply.read(_PIECE):
            self.wfile.write(piece)

    def log_message(self, *_):
        pass


for _method in ("GET", "HEAD", "POST", "PATCH", "PUT"):
    setattr(_Handler, f"do_{_method}", _Handler._pass)


@contextmanager
def gated_registry(folder: Path):
    """Run a registry behind a gate while the block lasts.

    Yields:
        The gate, whose host is the registry's for clients, and the registry itself.
    """
    gate = Gate()
    bundle = folder / "issuer.pem"
    bundle.write_bytes(gate.issuer.certificate.public_bytes(Encoding.PEM))
    auth = {"realm": f"http://{gate.host}/token", "service": SERVICE, "issuer": ISSUER}
    thread = threading.Thread(target=gate.serve_forever, args=(0.02,), daemon=True)
    with real_registry(folder, auth={"token": auth | {"rootcertbundle": str(bundle)}}) as registry:
        gate.behind = registry.host
        thread.start()
        try:
            yield gate, RealRegistry(registry.host)
        finally:
            gate.shutdown()
            thread.join()
            gate.server_close()
