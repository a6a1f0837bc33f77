"""Signing and checking records: Ed25519 (RFC 8032) in DSSE envelopes, version 1.

The envelope's protocol is that of https://github.com/secure-systems-lab/dsse: what is signed is
the pre-authentication encoding of payload type and payload, never the JSON around it.
"""

import base64
import binascii
import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from runner.adapters.files import create_durably
from runner.errors import ConfigurationError, IntegrityError
from runner.model.strict_json import parse_object

KEY_FILE = "record-signing.pem"
TRUST_FOLDER = "trusted"
_MAX_KEY_BYTES = 16 * 1024
_MAX_SIGNATURES = 16

TrustedKeys = Mapping[str, Ed25519PublicKey]


@dataclass(frozen=True)
class VerifiedPayload:
    """What an envelope holds.

    Attributes:
        payload: The bytes that were signed.
        payload_type: What they are.
        signed_by: Id of the trusted key that signed them; null if no trusted key did, and then
            nothing but the envelope's form has been shown.
        claimed_keys: The key ids that the envelope names; a hint, not evidence.
    """

    payload: bytes
    payload_type: str
    signed_by: str | None
    claimed_keys: tuple[str, ...]


class Signer:
    """The runner's own key.

    Attributes:
        key_id: sha256 of the public key's DER ``SubjectPublicKeyInfo``, in hex.
        public_pem: The public key, as it goes into a trust folder.
    """

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        public_key = private_key.public_key()
        self.key_id = key_id(public_key)
        self.public_pem = public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def __repr__(self) -> str:
        return f"Signer({self.key_id})"

    def sign_envelope(self, payload: bytes, payload_type: str) -> bytes:
        """A DSSE envelope, as JSON with a newline at the end, around ``payload``."""
        signature = self._private_key.sign(_pre_auth_encoding(payload, payload_type))
        envelope = {
            "payload": base64.b64encode(payload).decode("ascii"),
            "payloadType": payload_type,
            "signatures": [
                {"keyid": self.key_id, "sig": base64.b64encode(signature).decode("ascii")}
            ],
        }
        return json.dumps(envelope, indent=2).encode("ascii") + b"\n"


def load_or_create(keys_folder: Path, trust_folder: Path | None = None) -> Signer:
    """The runner's signing key, made on first use.

    The public half goes into the trust folder (``trusted`` below the keys folder, if none is
    named) when the key is made, and only then: taking it out of there is how an operator stops
    trusting it.

    Raises:
        ConfigurationError: ``KEY_MODE``: somebody else could have read or written the key;
            ``KEY_INVALID``: the file holds no Ed25519 key.
    """
    path = keys_folder / KEY_FILE
    keys_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_open_folder(keys_folder)
    if not os.path.lexists(path):
        _create(path, trust_folder or keys_folder / TRUST_FOLDER)
    pem = _read_private(path)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError("KEY_INVALID", f"{path}: not a private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError("KEY_INVALID", f"{path}: expected an Ed25519 key")
    return Signer(key)


def trusted_keys(trust_folder: Path, extra: Sequence[Path] = ()) -> dict[str, Ed25519PublicKey]:
    """The public keys that a verifier believes, by id: every ``*.pem`` there, and ``extra``.

    Raises:
        ConfigurationError: ``KEY_INVALID``: a file isn't an Ed25519 public key;
            ``KEY_MODE``: others can put keys into the trust folder.
    """
    keys = {}
    files = list(extra)
    if trust_folder.is_dir():
        if trust_folder.stat().st_mode & 0o022:
            raise ConfigurationError(
                "KEY_MODE",
                f"{trust_folder}: others can write here, and so say who is trusted",
                remedy=f"chmod go-w {trust_folder}",
            )
        files += sorted(trust_folder.glob("*.pem"))
    for path in files:
        try:
            with open(path, "rb") as file:
                key = serialization.load_pem_public_key(file.read(_MAX_KEY_BYTES))
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(
                "KEY_INVALID", f"{path}: expected a public key in PEM: {error}"
            ) from error
        if not isinstance(key, Ed25519PublicKey):
            raise ConfigurationError("KEY_INVALID", f"{path}: expected an Ed25519 public key")
        keys[key_id(key)] = key
    return keys


def verify_envelope(envelope: bytes, trusted: TrustedKeys) -> VerifiedPayload:
    """What ``envelope`` holds, and which trusted key signed it, if any did.

    Raises:
        IntegrityError: ``ENVELOPE_INVALID``: it isn't a DSSE envelope;
            ``SIGNATURE_INVALID``: it names a trusted key that didn't sign these bytes.
    """
    try:
        fields = parse_object(envelope)
        payload, payload_type, signatures = _fields(fields)
    except ValueError as error:
        raise IntegrityError("ENVELOPE_INVALID", f"not a DSSE envelope: {error}") from error
    signed = _pre_auth_encoding(payload, payload_type)
    claimed = tuple(name for name, _ in signatures)
    # The key id is an unauthenticated hint, so every trusted key is tried on every signature.
    for _, signature in signatures:
        for name, key in trusted.items():
            try:
                key.verify(signature, signed)
            except InvalidSignature:
                continue
            return VerifiedPayload(payload, payload_type, name, claimed)
    for name in claimed:
        if name in trusted:
            raise IntegrityError("SIGNATURE_INVALID", f"key {name} didn't sign these bytes")
    return VerifiedPayload(payload, payload_type, None, claimed)


def key_id(key: Ed25519PublicKey) -> str:
    """sha256 of the key's DER ``SubjectPublicKeyInfo`` (RFC 8410), in hex."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def _pre_auth_encoding(payload: bytes, payload_type: str) -> bytes:
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _fields(envelope: dict[str, Any]) -> tuple[bytes, str, list[tuple[str, bytes]]]:
    if set(envelope) != {"payload", "payloadType", "signatures"}:
        raise ValueError(f"got the keys {sorted(envelope)}")
    payload_type, entries = envelope["payloadType"], envelope["signatures"]
    if not isinstance(payload_type, str):
        raise ValueError("payloadType isn't a string")
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MAX_SIGNATURES:
        raise ValueError(f"expected 1 to {_MAX_SIGNATURES} signatures")
    signatures = []
    for entry in entries:
        if not isinstance(entry, dict) or not {"sig"} <= set(entry) <= {"keyid", "sig"}:
            raise ValueError("a signature has other keys than keyid and sig")
        if not isinstance(entry.get("keyid", ""), str):
            raise ValueError("a keyid isn't a string")
        signatures.append((entry.get("keyid", ""), _decode(entry["sig"])))
    return _decode(envelope["payload"]), payload_type, signatures


def _decode(text: object) -> bytes:
    """Base64, standard or URL-safe: the protocol has verifiers accept either."""
    if not isinstance(text, str):
        raise ValueError("expected base64 in a string")
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error


def _create(path: Path, trust_folder: Path) -> None:
    key = Ed25519PrivateKey.generate()
    signer = Signer(key)
    trust_folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    public = trust_folder / f"{signer.key_id}.pem"
    # The public half first: should we die in between, a trusted key that nobody has does no
    # harm, while a key whose records nobody trusts would.
    create_durably(public, signer.public_pem, mode=0o644)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        create_durably(path, pem, mode=0o600)
    except FileExistsError:  # another process was first: its key is the runner's
        public.unlink()


def _read_private(path: Path) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(
            "KEY_MODE", f"{path}: {error.strerror}; expected a file of our own, not a link"
        ) from error
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigurationError("KEY_MODE", f"{path}: expected a regular file")
        if found.st_uid != os.geteuid():
            raise ConfigurationError(
                "KEY_MODE",
                f"{path}: owned by uid {found.st_uid}, expected {os.geteuid()}",
                remedy=f"chown {os.geteuid()} {path}, if you know that nobody has read it",
            )
        if found.st_mode & 0o077:
            raise ConfigurationError(
                "KEY_MODE",
                f"{path}: mode {stat.S_IMODE(found.st_mode):04o}, expected 0600",
                remedy=f"chmod 600 {path}; if others use this machine, remove it: "
                "a new key is then made",
            )
        return file.read(_MAX_KEY_BYTES)


def _refuse_open_folder(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ConfigurationError(
            "KEY_MODE",
            f"{folder}: others can put a key here",
            remedy=f"chown {os.geteuid()} {folder}; chmod 700 {folder}",
        )
