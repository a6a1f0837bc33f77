"""The signing key, the envelopes it makes, and whom a verifier believes."""

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey

from runner.adapters.signing import (
    KEY_FILE,
    Signer,
    key_id,
    load_or_create,
    trusted_keys,
    verify_envelope,
)
from runner.errors import ConfigurationError, IntegrityError
from tests.support import records

TYPE = "application/vnd.in-toto+json"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def signer(keys: Path) -> Signer:
    return load_or_create(keys)


def test_the_key_is_made_once_and_only_its_owner_can_read_it(keys: Path, signer: Signer) -> None:
    assert (keys / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert keys.stat().st_mode & 0o777 == 0o700
    assert load_or_create(keys).key_id == signer.key_id
    assert "PRIVATE" not in repr(signer)


def test_the_public_half_is_trusted_when_the_key_is_made_and_only_then(
    keys: Path, signer: Signer
) -> None:
    assert list(trusted_keys(keys / "trusted")) == [signer.key_id]
    (keys / "trusted" / f"{signer.key_id}.pem").unlink()
    load_or_create(keys)
    assert trusted_keys(keys / "trusted") == {}


def test_of_many_that_make_the_key_at_once_one_wins(keys: Path) -> None:
    ready, go = os.pipe()
    children = []
    for _ in range(8):
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(ready, 1)  # until every other end is closed: all start at once
            made = load_or_create(keys)
            (keys / f"seen-{made.key_id}").touch()
            os._exit(0)
        children.append(child)
    os.close(ready)
    os.close(go)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    seen = [path.name.removeprefix("seen-") for path in keys.glob("seen-*")]
    assert seen == [load_or_create(keys).key_id]
    assert list(trusted_keys(keys / "trusted")) == seen


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_could_reach_is_refused(keys: Path, signer: Signer, mode: int) -> None:
    (keys / KEY_FILE).chmod(mode)
    with pytest.raises(ConfigurationError, match="KEY_MODE") as refused:
        load_or_create(keys)
    assert "chmod 600" in refused.value.remedy


def test_a_key_behind_a_link_is_refused(keys: Path, signer: Signer, tmp_path: Path) -> None:
    (keys / KEY_FILE).rename(tmp_path / "elsewhere.pem")
    (keys / KEY_FILE).symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(ConfigurationError, match="KEY_MODE"):
        load_or_create(keys)


@pytest.mark.needs_root
def test_a_key_of_another_owner_is_refused(keys: Path, signer: Signer) -> None:
    os.chown(keys / KEY_FILE, 12345, 12345)
    with pytest.raises(ConfigurationError, match="KEY_MODE"):
        load_or_create(keys)


def test_a_keys_folder_that_others_can_write_is_refused(keys: Path, signer: Signer) -> None:
    keys.chmod(0o770)
    with pytest.raises(ConfigurationError, match="KEY_MODE"):
        load_or_create(keys)


def test_a_trust_folder_that_others_can_write_is_refused(keys: Path, signer: Signer) -> None:
    (keys / "trusted").chmod(0o777)
    with pytest.raises(ConfigurationError, match="KEY_MODE"):
        trusted_keys(keys / "trusted")


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused_by_name(keys: Path, signer: Signer, content: bytes) -> None:
    (keys / KEY_FILE).write_bytes(content)
    with pytest.raises(ConfigurationError, match="KEY_INVALID"):
        load_or_create(keys)
    (keys / "trusted" / "mine.pem").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"mine\.pem"):
        trusted_keys(keys / "trusted")


def test_an_extra_key_is_trusted_from_wherever_it_lies(tmp_path: Path, signer: Signer) -> None:
    (tmp_path / "key.txt").write_bytes(signer.public_pem)
    assert list(trusted_keys(tmp_path / "nowhere", [tmp_path / "key.txt"])) == [signer.key_id]


def test_an_envelope_holds_exactly_what_was_signed(signer: Signer) -> None:
    got = verify_envelope(signer.sign_envelope(b"\x00payload\xff", TYPE), records.trust(signer))
    assert (got.payload, got.payload_type, got.signed_by) == (
        b"\x00payload\xff",
        TYPE,
        signer.key_id,
    )


def test_another_implementation_verifies_our_envelope(signer: Signer) -> None:
    """securesystemslib, which in-toto and TUF use."""
    (key,) = records.trust(signer).values()
    envelope = Envelope.from_dict(json.loads(signer.sign_envelope(b"payload", TYPE)))
    theirs = SSlibKey.from_crypto(key, signer.key_id)
    assert list(envelope.verify([theirs], 1)) == [signer.key_id]


def test_we_verify_the_envelope_of_another_implementation() -> None:
    theirs = CryptoSigner.generate_ed25519()
    envelope = Envelope(b"payload", TYPE, {})
    envelope.sign(theirs)
    raw = bytes.fromhex(theirs.public_key.keyval["public"])
    key = Ed25519PublicKey.from_public_bytes(raw)
    got = verify_envelope(json.dumps(envelope.to_dict()).encode(), {key_id(key): key})
    assert got.signed_by == key_id(key)


def test_without_a_trusted_key_nothing_is_signed(signer: Signer) -> None:
    got = verify_envelope(signer.sign_envelope(b"payload", TYPE), {})
    assert (got.signed_by, got.claimed_keys) == (None, (signer.key_id,))


@pytest.mark.parametrize("field", ["payload", "payloadType"])
def test_changed_bytes_are_refused(signer: Signer, field: str) -> None:
    envelope = json.loads(signer.sign_envelope(b"payload", TYPE))
    envelope[field] = {"payload": "b3RoZXI=", "payloadType": "text/plain"}[field]
    with pytest.raises(IntegrityError, match="SIGNATURE_INVALID"):
        verify_envelope(json.dumps(envelope).encode(), records.trust(signer))


@pytest.mark.parametrize(
    "raw_envelope",
    [
        b"",
        b"[]",
        b"{}",
        b'{"payload": "", "payloadType": "x", "signatures": []}',
        b'{"payload": "", "payload": "", "payloadType": "x", "signatures": [{"sig": ""}]}',
        b'{"payload": "%%", "payloadType": "x", "signatures": [{"sig": ""}]}',
        b'{"payload": "", "payloadType": 1, "signatures": [{"sig": ""}]}',
        b'{"payload": "", "payloadType": "x", "signatures": [{"sig": "", "cert": ""}]}',
        b'{"payload": "", "payloadType": "x", "signatures": [{"sig": ""}], "more": 1}',
        b'{"payload": "", "payloadType": "x", "signatures": [{"sig": ""}]} {}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_is_no_envelope_is_refused(raw_envelope: bytes) -> None:
    with pytest.raises(IntegrityError, match="ENVELOPE_INVALID"):
        verify_envelope(raw_envelope, {})
