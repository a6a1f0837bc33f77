"""Attacks on everything outside a job's own folders: secrets, network, other processes, space."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.model.artifact import Artifact
from runner.model.job import Reason, Status, Warn
from runner.model.sandbox import Stop
from tests.support.workshop import Workshop

MIB = 1024 * 1024


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A TCP port of this host, and who connected to it."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                heard.append(b"somebody")
                connection.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def test_the_environment_starts_empty(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    artifact = workshop.run("env -0 | sort -z | tr '\\0' '\\n' > $ARTIFACT_DIR/env")
    names = {line.partition("=")[0] for line in workshop.output(artifact, "env").splitlines()}
    assert "AWS_SECRET_ACCESS_KEY" not in names
    assert names <= {
        *("CI", "ARTIFACT_DIR", "HOME", "TMPDIR", "PATH", "LANG", "TZ", "PWD", "SHLVL", "_"),
        *("AIOPS_JOB_ID", "AIOPS_JOB_TYPE", "AIOPS_REPO", "AIOPS_SHA", "AIOPS_WRAPPERS"),
        *(name for name in names if name.startswith("GIT_")),
        "OLDPWD",
    }


def test_keys_records_and_the_home_folder_cannot_be_read(workshop: Workshop) -> None:
    first = workshop.execute(workshop.submit("echo"))
    state = workshop.folder / "state"
    secrets = [
        *sorted(state.glob("keys/*")),
        state / "artifacts" / first.job_id / "artifact.json",
        state / "artifacts" / first.job_id / "stdout.log",
        Path.home() / ".bashrc",
        Path("/etc/shadow"),
        Path(f"/proc/{os.getpid()}/environ"),
    ]
    assert any(path.parent.name == "keys" for path in secrets)
    reads = "\n".join(f"cat '{path}' && echo read '{path}'" for path in secrets)
    artifact = workshop.run(f"{reads}\nls -la {state}/keys {state}/artifacts\ntrue")
    assert workshop.log(artifact) == ""


def test_processes_of_the_host_cannot_be_looked_into(workshop: Workshop) -> None:
    artifact = workshop.run(
        f"tr '\\0' '\\n' < /proc/{os.getpid()}/cmdline | grep -c pytest\n"
        f"ls /proc/{os.getpid()}/fd /proc/{os.getpid()}/root\ntrue"
    )
    assert "pytest" not in workshop.log(artifact)
    assert workshop.log(artifact).strip() in ("", "0")


def test_no_network_and_no_push(workshop: Workshop, listener: tuple[int, list[bytes]]) -> None:
    port, heard = listener
    artifact = workshop.run(
        f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected\n"
        f"git push http://127.0.0.1:{port}/x HEAD:refs/heads/main && echo pushed\n"
        f"git -c protocol.ext.allow=always push 'ext::bash -c \"exec 3<>/dev/tcp/127.0.0.1/{port}\"' "
        "HEAD && echo pushed\n"
        f"git push {workshop.repo} HEAD:refs/heads/evil && echo pushed\n"
        "true"
    )
    assert heard == []
    assert workshop.log(artifact) == ""
    assert artifact.invariants.no_push_ok is True


def test_the_runners_own_redis_cannot_be_reached(workshop: Workshop) -> None:
    path = workshop.client.connection_pool.connection_kwargs["path"]
    script = f"""#!python
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
    try:
        sock = socket.socket(socket.AF_UNIX, kind)
        sock.connect({str(path)!r})
        print("connected")
    except OSError as error:
        print("refused")
"""
    artifact = workshop.run(script)
    assert workshop.log(artifact).split() == ["refused"] * 3


def test_800_megabytes_of_output_are_counted_and_capped(workshop: Workshop) -> None:
    artifact = workshop.run("head -c 838860800 /dev/zero", limits={"log_bytes": MIB}, timeout_s=60)
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert artifact.logs.stdout.bytes == 800 * MIB
    assert artifact.logs.stdout.truncated
    assert Warn.LOG_TRUNCATED in artifact.warnings
    kept = workshop.runner.folders.open(artifact.job_id).path / "stdout.log"
    assert kept.stat().st_size < 2 * MIB


def test_outputs_over_their_limits_fail_the_job(workshop: Workshop) -> None:
    too_many = "for i in $(seq 50); do echo $i > $ARTIFACT_DIR/f$i; done"
    artifact = workshop.run(too_many, limits={"output_files": 10})
    assert (artifact.status, artifact.reason) == (Status.FAILURE, Reason.OUTPUT_LIMIT)


def test_a_sparse_file_and_a_flood_do_not_fill_the_disk(workshop: Workshop) -> None:
    before = os.statvfs(workshop.folder).f_bavail
    artifact = workshop.run(
        "truncate -s 1T $ARTIFACT_DIR/sparse\n"
        "head -c 200000000 /dev/zero > $ARTIFACT_DIR/big\n"
        "head -c 200000000 /dev/zero > $ARTIFACT_DIR/big2",
        limits={"output_bytes": 8 * MIB, "tmp_bytes": 8 * MIB},
    )
    after = os.statvfs(workshop.folder)
    assert artifact.status is Status.FAILURE
    assert sum(output.size_bytes for output in artifact.outputs) <= 8 * MIB
    assert (before - after.f_bavail) * after.f_frsize < 100 * MIB


def test_links_devices_and_fifos_are_not_collected(workshop: Workshop) -> None:
    artifact = workshop.run(
        "cd $ARTIFACT_DIR\n"
        "ln -s /etc/passwd link\nln -s ../stdout.log stdout.log\nmkfifo fifo\n"
        "mkdir artifact.json\necho forged > artifact.json/x\necho a > one; ln one two\n"
        'echo \'{"status": "success"}\' > size_cap_meta.json\n'
        "echo evil > $'new\\nline'\necho evil > $'esc\\e[2J'\necho evil > $'\\xff'\n"
        "echo good > good.txt\n"
    )
    collected = {output.path for output in artifact.outputs}
    assert "outputs/good.txt" in collected
    assert "outputs/artifact.json/x" in collected
    assert not collected & {"outputs/link", "outputs/stdout.log", "outputs/fifo", "outputs/one"}
    assert all(path.isprintable() for path in collected)
    assert Warn.OUTPUT_REFUSED in artifact.warnings
    assert not artifact.size_cap_exceeded
    assert all(refused.path.isprintable() for refused in artifact.outputs_refused)


def test_a_job_sees_no_other_jobs_folders(workshop: Workshop) -> None:
    workshop.run("echo secret > $ARTIFACT_DIR/secret; echo secret > $TMPDIR/secret")
    artifact = workshop.run(
        f"grep -rs secret {workshop.folder}/state/scratch {workshop.folder}/state/artifacts "
        "/tmp /job/artifacts $TMPDIR && echo found\ntrue"
    )
    assert "found" not in workshop.log(artifact)


FAMILIES = """#!python
import errno, socket
# AF_PACKET, AF_TIPC, AF_BLUETOOTH, AF_ALG, AF_VSOCK, AF_QIPCRTR, AF_XDP
for family in (17, 30, 31, 38, 40, 42, 44):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind)
            print("made", family, kind)
        except OSError:
            pass
"""


def test_no_socket_that_knows_no_namespace_can_be_made(workshop: Workshop) -> None:
    """AF_VSOCK for one leads to the hypervisor from inside any network namespace: vsock(7)."""
    artifact = workshop.run(FAMILIES)
    assert (artifact.exit_code, workshop.log(artifact)) == (0, "")


LOOPBACK = """#!python
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    with socket.create_connection(server.getsockname()) as client:
        client.send(b"fine")
        print(server.accept()[0].recv(4).decode())
"""


def test_still_allows_a_server_of_the_jobs_own_where_it_has_a_namespace(
    workshop: Workshop,
) -> None:
    """Without one there is no socket at all."""
    artifact = workshop.run(LOOPBACK)
    has_its_own = workshop.environment["AIOPS_SANDBOX_BACKENDS"] == "bubblewrap"
    assert workshop.log(artifact) == ("fine\n" if has_its_own else "")


FIRST_PROCESS = """#!python
import os
for path in ("/proc/1/mem", "/proc/1/task/1/mem", f"/proc/{os.getppid()}/mem", "/proc/self/mem"):
    try:
        os.open(path, os.O_RDWR)
        print("opened", path)
    except OSError:
        pass
"""


def test_the_process_that_ends_the_sandbox_cannot_be_written_to(workshop: Workshop) -> None:
    """With other code in it, it would outlive a runner that is killed, and the job with it."""
    artifact = workshop.run(FIRST_PROCESS)
    assert (artifact.exit_code, workshop.log(artifact)) == (0, "")


def test_still_allows_to_open_ones_own_output_by_name(workshop: Workshop) -> None:
    artifact = workshop.run("echo a > /dev/stdout; echo b | tee /dev/stderr | cat > /dev/stdout")
    assert workshop.log(artifact) == "a\nb\n"
    assert workshop.log(artifact, "stderr") == "b\n"


LEASE = """#!python
import fcntl, os
for path in ("README.md", f"{os.environ['AIOPS_WRAPPERS']}/attack.py"):
    try:
        fcntl.fcntl(os.open(path, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        print("leased", path)
    except OSError:
        pass
"""


def test_a_shared_file_cannot_be_leased(workshop: Workshop) -> None:
    """Who opens it, the runner or a job on the same commit, would wait 45 seconds: fcntl(2)."""
    artifact = workshop.run(LEASE)
    assert (artifact.exit_code, workshop.log(artifact)) == (0, "")


NEIGHBOUR = """#!python
import os
scratch = os.environ["FOLDER"]
for name in ("", *(f"/{name}" for name in ("artifacts", "tmp", "home", ".", "*"))):
    for attack in (
        os.listdir, lambda path: os.chmod(path, 0), os.utime, lambda path: os.mkdir(path + "/x"),
        lambda path: os.chown(path, os.getuid(), os.getgid()), lambda path: os.rename(path, path + "x"),
        lambda path: os.setxattr(path, "user.x", b"x"),
    ):
        try:
            attack(scratch + name)
            print("worked on", scratch + name)
        except OSError:
            pass
try:
    os.kill(-1, 9)
except OSError:
    pass
"""


def test_a_job_that_runs_beside_it_under_the_same_uid_is_out_of_reach(workshop: Workshop) -> None:
    """Also for who knows its id. The neighbour is still well when the attacker has ended."""
    workshop.add(
        "neighbour",
        "trap 'echo fine > $ARTIFACT_DIR/well; exit 0' TERM\necho up\nwhile :; do sleep 0.05; done",
    )
    path = {"type": "pattern", "pattern": "/.*", "max_length": 300}
    workshop.add("attack", NEIGHBOUR, allowed_params={"folder": path})
    neighbour = workshop.submit("neighbour")
    attacks: list[Artifact] = []

    def attack_once() -> Stop | None:
        if not attacks and neighbour.stdout.read_bytes() == b"up\n":
            scratch = workshop.runner.paths.scratch / neighbour.job_id
            attacks.append(
                workshop.execute(workshop.submit("attack", params={"folder": str(scratch)}))
            )
        return Stop.CANCELLED if attacks else None

    artifact = workshop.execute(neighbour, interrupted=attack_once)
    assert artifact.status is Status.CANCELLED, artifact.detail
    assert workshop.output(artifact, "well") == "fine\n"
    assert workshop.log(attacks[0]) == "", workshop.log(attacks[0], "stderr")


HIJACKS = {
    "json.py": "raise SystemExit('hijacked')\n",
    "conftest.py": "raise SystemExit('hijacked')\n",
    "runner/__init__.py": "raise SystemExit('hijacked')\n",
    "sitecustomize.py": "print('hijacked')\n",
    "usercustomize.py": "print('hijacked')\n",
    "bash": "echo hijacked\n",
    "git": "echo hijacked\n",
}


def test_a_checkout_cannot_hijack_the_wrappers_interpreter(workshop: Workshop) -> None:
    from tests.support.git_repos import commit

    sha = commit(workshop.repo, HIJACKS, "hijack")
    artifact = workshop.run("#!python\nimport json\nprint(json.dumps('fine'))", sha=sha)
    assert workshop.log(artifact) == '"fine"\n'


@pytest.mark.parametrize("name", ["LD_PRELOAD", "BASH_ENV", "PATH", "GIT_DIR", "PYTHONPATH"])
def test_an_allowlist_cannot_steer_loader_or_shell(workshop: Workshop, name: str) -> None:
    from runner.errors import ConfigurationError

    workshop.add("steered", "true", env={name: "/tmp/evil"})
    try:
        with pytest.raises(ConfigurationError, match=name):
            workshop.runner.catalog_now()
    finally:
        del workshop.job_types["steered"]
        workshop.add("echo", "echo hello")


STILL_ALLOWED = {
    "loopless_subprocess": "bash -c 'echo fine' | cat",
    "read_usr": "ls /usr/bin/env",
    "random": "head -c 8 /dev/urandom | wc -c",
    "null": "echo x > /dev/null",
    "date": "date",
}


@pytest.mark.parametrize("allowed", STILL_ALLOWED.values(), ids=STILL_ALLOWED.keys())
def test_still_allows(workshop: Workshop, allowed: str) -> None:
    artifact = workshop.run(f"set -e\n{allowed}")
    assert artifact.exit_code == 0, workshop.log(artifact, "stderr")


def test_still_allows_threads_sockets_in_pairs_and_multiprocessing(workshop: Workshop) -> None:
    script = """#!python
import asyncio, concurrent.futures, subprocess, threading
async def main():
    process = await asyncio.create_subprocess_exec("/bin/echo", "fine")
    await process.wait()
asyncio.run(main())
with concurrent.futures.ThreadPoolExecutor() as pool:
    assert list(pool.map(abs, range(5))) == list(range(5))
"""
    artifact = workshop.run(script)
    assert artifact.exit_code == 0, workshop.log(artifact, "stderr")
