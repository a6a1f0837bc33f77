"""What docs/record.md tells a stranger to do works as it stands there."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.adapters.signing import Signer, load_or_create
from runner.model.artifact import Artifact
from tests.support import records

DOCS = Path(__file__).parents[2] / "docs" / "record.md"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return load_or_create(tmp_path / "keys")


@pytest.fixture
def sealed(tmp_path: Path, signer: Signer) -> Path:
    (tmp_path / "key.pem").write_bytes(signer.public_pem)
    return records.sealed(tmp_path / "artifacts", signer).path


def python_of_the_docs(folder: Path, key: Path) -> int:
    """Runs the page's Python in ``folder``; its exit code."""
    (program,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(key)],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return done.returncode


def test_the_documented_program_accepts_a_sealed_record(sealed: Path, tmp_path: Path) -> None:
    assert python_of_the_docs(sealed, tmp_path / "key.pem") == 0


@pytest.mark.parametrize("name", ["artifact.json", "stdout.log", "outputs/report.txt"])
def test_the_documented_program_refuses_a_changed_file(
    sealed: Path, tmp_path: Path, name: str
) -> None:
    with open(sealed / name, "ab") as file:
        file.write(b" ")
    assert python_of_the_docs(sealed, tmp_path / "key.pem") != 0


def test_the_documented_program_refuses_another_key(sealed: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(load_or_create(tmp_path / "others").public_pem)
    assert python_of_the_docs(sealed, tmp_path / "key.pem") != 0


def test_openssl_verifies_the_signature(sealed: Path, tmp_path: Path, signer: Signer) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    envelope = json.loads((sealed / "artifact.dsse.json").read_text())
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    (tmp_path / "signed").write_bytes(signed)
    (tmp_path / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    command = [
        *(openssl, "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem"),
        *("-rawin", "-in", "signed", "-sigfile", "signature"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    der = subprocess.run(
        [openssl, "pkey", "-pubin", "-in", "key.pem", "-outform", "DER"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    ).stdout
    assert hashlib.sha256(der).hexdigest() == signer.key_id


def test_every_field_of_the_record_is_explained() -> None:
    rows = "".join(line for line in DOCS.read_text().splitlines() if line.startswith("| `"))
    for field in Artifact.model_fields:
        assert f"`{field}`" in rows, field
