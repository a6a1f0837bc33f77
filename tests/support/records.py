"""A job's plan, its files and its record, as the runner makes them: what tests seal and forge."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from runner.adapters.job_folders import JobFolder, JobFolders
from runner.adapters.log_files import CappedLog
from runner.adapters.signing import Signer, TrustedKeys
from runner.flows.seal import seal
from runner.model.artifact import (
    Artifact,
    Established,
    Invariants,
    InvariantsHow,
    Logs,
    OutputFile,
    SandboxRecord,
)
from runner.model.catalog import Limits
from runner.model.job import JobPlan, RepoSource, Status
from runner.model.sandbox import Confinement, Enforced, Enforcement, Evidence, MountEvidence

JOB_ID = "20260102-030405-00112233aa"
NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
HASH = "ab" * 32
SHA = "cd" * 20

_KERNEL = Enforcement.KERNEL
CONFINEMENT = Confinement(
    backend="bubblewrap",
    level=3,
    version="bubblewrap 0.8.0",
    binary_sha256=HASH,
    kernel="6.18.0",
    enforced=Enforced(
        fs_write=_KERNEL, fs_meta=_KERNEL, net=_KERNEL, ipc=_KERNEL, pids=_KERNEL, mem=_KERNEL
    ),
    job_uid=1000,
    refused_attacks=("write",),
    allowed_attacks=(),
)
EVIDENCE = Evidence(mounts=(MountEvidence(path="/repo", write_refused=True, options="ro"),))


def plan(job_id: str = JOB_ID) -> JobPlan:
    """An admitted job."""
    return JobPlan(
        job_id=job_id,
        created_at=NOW,
        job_type="local_echo",
        repo_name="example",
        remote_url="https://example.com/a/example.git",
        repo_source=RepoSource.ALLOWLIST,
        allowed_branches=("main",),
        default_branch="main",
        sha=SHA,
        params={"DAY": "2026-01-01"},
        argv=("wrappers/local_echo.sh",),
        env=(("CI", "true"),),
        timeout_s=60,
        network="none",
        limits=Limits(),
        retries=0,
        toolchains=(),
        needs_python=False,
        needs_metadata_writes=False,
        wrapper_sha256=HASH,
        wrappers_hash=HASH,
        allowlist_hash=HASH,
        input_hash=HASH,
        idempotency_key=None,
        priority=0,
        trace_id="0" * 32,
    )


def accept(root: Path, job_id: str = JOB_ID) -> JobFolder:
    """An accepted job that has written ``hello`` to its standard output and one output."""
    folder = JobFolders(root).accept(plan(job_id))
    write_logs(folder, b"hello\n", b"")
    folder.outputs.mkdir()
    (folder.outputs / "report.txt").write_bytes(b"all is well\n")
    return folder


def write_logs(folder: JobFolder, stdout: bytes, stderr: bytes, cap_bytes: int = 65536) -> Logs:
    """Both streams, written as the pump does."""
    made = {}
    for name, data in (("stdout", stdout), ("stderr", stderr)):
        path = folder.path / f"{name}.log"
        path.unlink(missing_ok=True)
        log = CappedLog(path, cap_bytes)
        log.write(data)
        made[name] = log.close()
    return Logs(**made)


def output(folder: JobFolder, path: str) -> OutputFile:
    """The record's entry for a file that lies below ``outputs/``."""
    data = (folder.path / path).read_bytes()
    return OutputFile(
        path=path,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        media_type="text/plain",
    )


def artifact(folder: JobFolder, logs: Logs | None = None, **changes: object) -> Artifact:
    """The record of a job that went well, with ``changes``."""
    how = Established(method="kernel", evidence="seen")
    admitted = folder.plan()
    fields: dict[str, object] = {
        "duration_ms": 12,
        "started_at": NOW,
        "finished_at": NOW,
        "exit_code": 0,
        "signal": None,
        "status": Status.SUCCESS,
        "reason": None,
        "detail": "",
        "tree": "ef" * 20,
        "hostname": "host",
        "stdout_path": "stdout.log",
        "stderr_path": "stderr.log",
        "logs": logs or write_logs(folder, b"hello\n", b""),
        "outputs": (output(folder, "outputs/report.txt"),)
        if (folder.outputs / "report.txt").exists()
        else (),
        "outputs_refused": (),
        "invariants": Invariants(
            read_only_ok=True,
            clean_tree_ok=True,
            head_unmoved_ok=True,
            no_push_ok=True,
            no_orphans_ok=True,
        ),
        "invariants_how": InvariantsHow(
            read_only_ok=how,
            clean_tree_ok=Established(method="snapshot", evidence="compared"),
            head_unmoved_ok=how,
            no_push_ok=how,
            no_orphans_ok=how,
        ),
        "changed_files": (),
        "sandbox": SandboxRecord(confinement=CONFINEMENT, evidence=EVIDENCE),
        "warnings": (),
        "tests": None,
        "size_cap_exceeded": False,
        "review_packets_archive": None,
        "review_packets_dir": None,
        "size_cap_fallback": None,
        "attempt": 1,
        "runner_version": "0.1.0",
    }
    taken = set(Artifact.model_fields) - set(fields) - {"schema_version"}
    fields |= {name: getattr(admitted, name) for name in taken} | changes
    return Artifact.model_validate(fields)


def sealed(root: Path, signer: Signer, **changes: object) -> JobFolder:
    """A job's folder, sealed."""
    folder = accept(root)
    assert seal(folder, artifact(folder, None, **changes), signer)
    return folder


def trust(signer: Signer) -> TrustedKeys:
    """The keys of a verifier who trusts this signer alone."""
    key = load_pem_public_key(signer.public_pem)
    assert isinstance(key, Ed25519PublicKey)
    return {signer.key_id: key}
