import base64

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from actorllm.actors.downloader.identity import load_identity
from actorllm.actors.downloader.keypair import signed_bytes
from actorllm.protocol.errors import Refused


def test_a_key_is_made_once_and_kept_private(tmp_path):
    state = tmp_path / "state"
    first, second = load_identity(state), load_identity(state)
    assert first.public == second.public
    assert (state / "id_ed25519").read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert (state / "id_ed25519").stat().st_mode & 0o777 == 0o600
    assert (state / "id_ed25519.pub").read_text() == f"{first.public}\n"
    assert sorted(path.name for path in state.iterdir()) == ["id_ed25519", "id_ed25519.pub"]


def test_a_signature_can_be_verified(tmp_path):
    identity = load_identity(tmp_path)
    public, _, signature = identity.authorization("GET", "https://r/t?ts=1").partition(":")
    key = load_ssh_public_key(f"ssh-ed25519 {public}".encode())
    key.verify(base64.b64decode(signature), signed_bytes("GET", "https://r/t?ts=1"))


def test_what_is_signed_is_method_url_and_the_digest_of_nothing():
    empty = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    signed = signed_bytes("GET", "https://r/t?ts=1")
    assert signed == b"GET,https://r/t?ts=1," + base64.b64encode(empty)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_left_alone(tmp_path, content):
    (tmp_path / "id_ed25519").write_bytes(content)
    with pytest.raises(Refused, match="no Ed25519 key"):
        load_identity(tmp_path)
    assert (tmp_path / "id_ed25519").read_bytes() == content
