"""What the seal of a job's folder is made of, in the order that a power cut can't harm."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from runner.adapters.files import sync_all, sync_folder, write_new, written_aside
from runner.adapters.job_folders.layout import ENVELOPE, OUTPUTS, PLAN, RECORD, SUMS, text_of
from runner.model.artifact import Artifact
from runner.model.checksums import format_sums

_SYNC_ONE_BY_ONE = 32

Attest = Callable[[Artifact, str, Mapping[str, str]], bytes]
"""Makes the signed envelope of a record, from it, its own sha256 and its files' by path."""


def keep_only(folder: Path, named: set[str]) -> None:
    """Removes the outputs that aren't ``named``, by their paths below ``folder``.

    Raises:
        OSError: the disk.
    """
    outputs = folder / OUTPUTS
    for here, folders, names in os.walk(outputs, topdown=False):
        for name in names:
            path = Path(here, name)
            if path.relative_to(folder).as_posix() not in named:
                path.unlink()
        for name in folders:
            with contextlib.suppress(OSError):  # not empty: it holds something named
                Path(here, name).rmdir()
    if not named:
        with contextlib.suppress(FileNotFoundError):
            outputs.rmdir()


def write_record(folder: Path, artifact: Artifact, attest: Attest) -> None:
    """Writes SHA256SUMS, the signed envelope and, as the last act, ``artifact.json``.

    Raises:
        OSError: the disk; without ``artifact.json`` the others mean nothing.
    """
    record = text_of(artifact)
    files = {PLAN: _digest((folder / PLAN).read_bytes())}
    for log in (artifact.logs.stdout, artifact.logs.stderr):
        files[log.path] = log.kept_sha256
    files |= {output.path: output.sha256 for output in artifact.outputs}
    digest = _digest(record)
    sums = format_sums({RECORD: digest} | files).encode()
    envelope = attest(artifact, digest, files)
    for name, data in ((SUMS, sums), (ENVELOPE, envelope)):
        # an earlier attempt's mean nothing: it didn't get to the record
        (folder / name).unlink(missing_ok=True)
        write_new(folder / name, data, mode=0o600)
    with written_aside(folder / RECORD, record, mode=0o600) as aside:
        _settle(folder, (*files, SUMS, ENVELOPE, aside.name))
        os.link(aside, folder / RECORD, follow_symlinks=False)
    sync_folder(folder)


def _settle(folder: Path, names: Iterable[str]) -> None:
    """Makes files and their names durable: in a power cut no record outlives what it names."""
    # the plan has been durable since the job was accepted
    files = [folder / name for name in names if name != PLAN]
    if len(files) > _SYNC_ONE_BY_ONE:
        os.sync()
        return
    below = {p for file in files for p in file.parents if p.is_relative_to(folder)}
    sync_all((*files, *below))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
