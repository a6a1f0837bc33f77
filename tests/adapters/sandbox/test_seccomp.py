"""The two filters, loaded into real processes that try every call they name."""

import errno
import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from runner.adapters.sandbox import seccomp
from runner.adapters.sandbox.seccomp import filter_for
from runner.adapters.sandbox.syscall_numbers import LAST_KNOWN, NUMBERS
from runner.errors import BugError, UnavailableError
from tests.support.git_repos import make_repo
from tests.support.seccomp_child import HERE, answers, errnos, run_filtered

MOUNTS = filter_for("mounts", deny_metadata=False)
LANDLOCK = filter_for("landlock", deny_metadata=False)
STRICT = filter_for("landlock", deny_metadata=True)
OLD_KERNEL = filter_for("landlock", deny_metadata=True, deny_truncate=True)
BOTH = pytest.mark.parametrize("program", [MOUNTS, STRICT], ids=["mounts", "landlock"])


# written out, not taken from the module: what is forgotten there must be missed here
MUST_BE_REFUSED = (
    *("unshare", "setns", "mount", "umount2", "pivot_root", "move_mount", "open_tree"),
    *("fsopen", "fsmount", "fsconfig", "fspick", "mount_setattr", "chroot"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"),
    *("open_by_handle_at", "name_to_handle_at", "fanotify_init"),
    *("bpf", "perf_event_open", "userfaultfd"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("keyctl", "add_key", "request_key"),
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module"),
    *("quotactl", "swapon", "swapoff", "reboot", "acct", "syslog"),
    *("settimeofday", "clock_settime"),
)


def test_every_call_that_a_rule_names_has_a_number() -> None:
    """A misspelt name would silently be no rule at all."""
    known = NUMBERS["x86_64"].keys() | NUMBERS["aarch64"].keys()
    named = (
        *seccomp._NEVER,
        *seccomp._METADATA,
        *seccomp._SOCKETS,
        *seccomp._SHARED_OBJECTS,
        *seccomp._BY_PID,
    )
    assert set(named) <= known


def test_the_numbers_are_those_of_the_kernels_headers() -> None:
    """Looks at the headers that are installed; without any there is nothing to compare with."""
    headers = {
        "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        "aarch64": Path("/usr/include/asm-generic/unistd.h"),
    }
    for machine, header in headers.items():
        text = header.read_text() if header.exists() else ""
        official = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text))
        for name, number in NUMBERS[machine].items():
            assert int(official.get(name, number)) == number, (machine, name)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_longest_filter_is_one_that_the_kernel_takes(machine: str) -> None:
    """BPF_MAXINSNS is 4096, and a conditional jump reaches 255 instructions."""
    program = filter_for("landlock", deny_metadata=True, deny_truncate=True, machine=machine)
    assert len(program) % 8 == 0
    assert len(program) // 8 < 4096


def test_a_rule_for_a_call_without_a_number_is_a_bug_and_not_silently_no_rule() -> None:
    with pytest.raises(BugError, match="fnctl"):
        seccomp._Rules(HERE).refuse(("fnctl",))


def test_a_machine_without_a_table_is_refused() -> None:
    with pytest.raises(UnavailableError, match="riscv64"):
        filter_for("mounts", deny_metadata=False, machine="riscv64")


@BOTH
def test_blocks_namespaces_mounts_tracing_and_the_kernels_attacked_corners(program: bytes) -> None:
    found = errnos(program, *MUST_BE_REFUSED)
    assert found == dict.fromkeys(MUST_BE_REFUSED, errno.EPERM)


@BOTH
@pytest.mark.parametrize(
    "flag", [0x20000, 0x2000000, 0x4000000, 0x8000000, 1 << 28, 1 << 29, 1 << 30]
)
def test_blocks_clone_into_a_new_namespace(program: bytes, flag: int) -> None:
    code = "import json; print(call(int(sys.argv[3]), int(sys.argv[4])))"
    assert answers(program, code, str(HERE["clone"]), str(flag | 17)) == errno.EPERM


@BOTH
def test_blocks_clone_whose_flags_no_filter_can_see(program: bytes) -> None:
    assert errnos(program, "clone3") == {"clone3": errno.ENOSYS}


@BOTH
def test_blocks_calls_that_came_after_our_table(program: bytes) -> None:
    code = "import json; print(json.dumps([call(n) for n in (int(sys.argv[3]), 1000, 5000)]))"
    assert set(answers(program, code, str(LAST_KNOWN + 1))) == {errno.ENOSYS}


@BOTH
def test_blocks_other_personalities_and_allows_the_usual_one(program: bytes) -> None:
    code = """
import json
number = int(sys.argv[3])
print(json.dumps([call(number, n) for n in (0xFFFFFFFF, 0, 0x0040000, 8)]))
"""
    assert answers(program, code, str(HERE["personality"])) == [0, 0, errno.EPERM, errno.EPERM]


@BOTH
def test_blocks_typing_into_a_terminal(program: bytes) -> None:
    """Also with rubbish in the upper half of the command, which the kernel doesn't look at."""
    code = """
import json
number = int(sys.argv[3])
commands = (0x5412, 0x541C, 0x5423, 0x5412 | 1 << 32)
print(json.dumps([call(number, 0, n) for n in commands]))
"""
    assert set(answers(program, code, str(HERE["ioctl"]))) == {errno.EPERM}


@BOTH
@pytest.mark.skipif("os.uname().machine != 'x86_64'", reason="x86_64 has these two ABIs")
@pytest.mark.parametrize(
    "attack",
    [
        "call(0x40000000 | 39)",
        # mov eax, 20 (getpid of i386); int 0x80; ret
        "page.write(bytes.fromhex('b814000000cd80c3')); run()",
    ],
    ids=["x32", "i386"],
)
def test_kills_who_calls_by_another_abi(program: bytes, attack: str) -> None:
    code = f"""
import mmap
page = mmap.mmap(-1, 4096, prot=7)
run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
{attack}
print("survived")
"""
    done = run_filtered(program, code)
    # where the kernel has no 32-bit calls at all the instruction itself is a fault
    assert done.returncode in {-signal.SIGSYS, -signal.SIGSEGV}, done.stdout


def test_blocks_every_kind_of_socket_without_namespaces() -> None:
    code = """
import json, socket
families = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, 17, 38, 40)
print(json.dumps([outcome(socket.socket, f, k) for f in families for k in (1, 2, 3)]))
"""
    assert set(answers(LANDLOCK, code)) == {errno.EACCES}


def test_blocks_a_datagram_pair_that_could_be_pointed_at_others() -> None:
    code = """
import json, socket
kinds = (socket.SOCK_DGRAM, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.SOCK_RAW)
found = [outcome(socket.socketpair, socket.AF_UNIX, k) for k in kinds]
found += [outcome(socket.socketpair, socket.AF_INET, socket.SOCK_STREAM)]
print(json.dumps(found))
"""
    assert set(answers(LANDLOCK, code)) == {errno.EACCES}


def test_blocks_a_pair_being_bound_connected_or_sent_elsewhere() -> None:
    code = """
import json, socket
one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
found = [outcome(one.bind, "\\0x"), outcome(one.connect, "\\0x"), outcome(one.listen)]
found += [outcome(one.accept), outcome(one.sendto, b"x", "/nowhere")]
high = ctypes.c_long(1 << 40)  # an address whose lower half is zero
found += [call(int(sys.argv[3]), one.fileno(), ctypes.c_char_p(b"x"), 1, 0, high, 16)]
print(json.dumps(found))
"""
    assert set(answers(LANDLOCK, code, str(HERE["sendto"]))) == {errno.EACCES}


def test_blocks_objects_that_would_outlive_the_job() -> None:
    assert set(errnos(LANDLOCK, *seccomp._SHARED_OBJECTS).values()) == {errno.EPERM}


def test_blocks_lowering_the_limits_and_priority_of_other_processes_of_the_uid() -> None:
    """Between processes of one uid the kernel wouldn't: the runner could be starved to death."""
    victim = subprocess.Popen(["/bin/sleep", "60"])
    try:
        code = """
import json, resource
pid, names = int(sys.argv[3]), json.loads(sys.argv[4])
found = [outcome(resource.prlimit, pid, resource.RLIMIT_CPU, (1, 1))]
found += [call(n, pid, 0) for n in names["by_pid"]]
found += [outcome(os.setpriority, os.PRIO_PROCESS, pid, 19)]
found += [outcome(os.setpriority, os.PRIO_USER, 0, 19)]
found += [call(names["ioprio_set"], 1, pid, 3 << 13), call(names["ioprio_set"], 3, 0, 3 << 13)]
print(json.dumps(found))
"""
        by_pid = [HERE[name] for name in (*seccomp._BY_PID, "sched_setattr")]
        names = json.dumps({"by_pid": by_pid, "ioprio_set": HERE["ioprio_set"]})
        assert set(answers(LANDLOCK, code, str(victim.pid), names)) == {errno.EPERM}
    finally:
        victim.kill()
        victim.wait()


def test_blocks_every_change_of_metadata_where_the_job_owns_the_tree() -> None:
    assert set(errnos(STRICT, *seccomp._METADATA).values()) == {errno.EPERM}


def test_blocks_attribute_ioctls_of_any_file_system_where_the_job_owns_the_tree() -> None:
    """FS_IOC_SETFLAGS, FSSETXATTR, SETVERSION, ENABLE_VERITY, and btrfs's new subvolume."""
    code = """
import json
commands = (0x40086602, 0x401C5820, 0x40087602, 0x40806685, 0x5000940E)
print(json.dumps([call(int(sys.argv[3]), 0, n) for n in commands]))
"""
    assert set(answers(STRICT, code, str(HERE["ioctl"]))) == {errno.EPERM}


def test_blocks_emptying_a_file_that_is_opened_for_reading_on_old_kernels() -> None:
    code = """
import json
open("file", "w").write("content")
flags = (os.O_TRUNC, os.O_TRUNC | 3, os.O_TRUNC | os.O_CLOEXEC)
found = [outcome(os.open, "file", f) for f in flags]
print(json.dumps([*found, outcome(os.truncate, "file", 0), open("file").read()]))
"""
    found = answers(OLD_KERNEL, code)
    assert found == [errno.EACCES] * 3 + [errno.EPERM, "content"]


def test_still_allows_writing_files_on_old_kernels() -> None:
    code = """
open("file", "w").write("one"); open("file", "w").write("2"); os.ftruncate(os.open("file", 1), 1)
print(len(open("file").read()))
"""
    assert answers(OLD_KERNEL, code) == 1


@pytest.mark.parametrize("program", [MOUNTS, LANDLOCK, STRICT, OLD_KERNEL])
def test_still_allows_threads_children_pipes_and_an_event_loop(program: bytes) -> None:
    code = """
import asyncio, json, socket, subprocess, threading
said = []
thread = threading.Thread(target=said.append, args=("thread",)); thread.start(); thread.join()
said.append(subprocess.run(["/bin/sh", "-c", "printf a | tr a b"], capture_output=True).stdout.decode())
async def child():
    it = await asyncio.create_subprocess_exec("/bin/echo", "loop", stdout=subprocess.PIPE)
    return (await it.communicate())[0].decode().strip()
said.append(asyncio.run(child()))
one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
one.sendall(b"pair"); said.append(other.recv(9).decode())
os.mkdir("folder"); os.rename("folder", "other"); os.symlink("other", "link"); os.rmdir("other")
said.append(os.isatty(0))
print(json.dumps(said))
"""
    assert answers(program, code) == ["thread", "b", "loop", "pair", False]


@pytest.mark.parametrize("program", [MOUNTS, LANDLOCK])
def test_still_allows_metadata_where_the_kernel_refuses_it_by_owner(program: bytes) -> None:
    code = """
open("file", "w").close(); os.chmod("file", 0o600); os.utime("file", (1, 1))
print(oct(os.stat("file").st_mode & 0o777)[2:], end="")
"""
    assert answers(program, code) == 600


@pytest.mark.parametrize("program", [LANDLOCK, STRICT])
def test_still_allows_a_process_its_own_limits_and_priority(program: bytes) -> None:
    code = """
import json, resource
os.setpgid(0, 0)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); resource.prlimit(0, resource.RLIMIT_CPU)
os.nice(1); os.sched_setaffinity(0, os.sched_getaffinity(0)); os.setpriority(os.PRIO_PGRP, 0, 5)
print(os.nice(0))
"""
    assert answers(program, code) == 5


@BOTH
def test_still_allows_git_to_read(program: bytes, tmp_path: Path) -> None:
    repository = make_repo(tmp_path / "repository", {"a": "1"})
    (repository / "a").write_text("2")
    code = """
import json, subprocess
git = ["git", "-C", sys.argv[3], "--no-optional-locks"]
env = {"PATH": "/usr/bin:/bin", "HOME": os.getcwd(), "GIT_CONFIG_NOSYSTEM": "1"}
run = lambda *words: subprocess.run([*git, *words], env=env, capture_output=True).stdout.decode()
print(json.dumps([run("status", "--short"), run("rev-list", "--count", "HEAD")]))
"""
    assert answers(program, code, str(repository)) == [" M a\n", "1\n"]
