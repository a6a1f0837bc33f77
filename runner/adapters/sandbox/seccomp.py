"""Which system calls a job may not make: two filters, as programs for the kernel's BPF machine.

A filter is a second wall behind namespaces and Landlock: it takes away the calls that no build
or test needs and that most kernel holes of the last years went through. Where there are no
namespaces it also closes what Landlock leaves open: metadata, sockets, System V objects.

Sources: seccomp(2); the kernel's ``Documentation/userspace-api/seccomp_filter.rst``;
``include/uapi/linux/{filter,bpf_common,seccomp,audit}.h``. Calls that are refused answer EPERM,
or ENOSYS where programs then fall back on an older call that can be looked into.
"""

import errno
import os
import struct
from typing import Literal

from runner.adapters.sandbox.syscall_numbers import LAST_KNOWN, NUMBERS
from runner.errors import BugError, UnavailableError

Profile = Literal["mounts", "landlock"]

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000  # x86_64 calls with this bit are those of the x32 ABI (asm/unistd.h)

# struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]
_NR, _ARCH, _ARGS = 0, 4, 16

# struct sock_filter's codes: class | size or operation | source (bpf_common.h)
_LOAD_WORD, _IF_EQUAL, _IF_GREATER, _IF_AT_LEAST, _IF_ANY_BIT = 0x20, 0x15, 0x25, 0x35, 0x45
_AND, _SHIFT_RIGHT, _RETURN = 0x54, 0x74, 0x06

_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

# CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET (sched.h). CLONE_NEWTIME shares its bit with the
# exit signal and works with clone3 and unshare only, which are refused as a whole.
_CLONE_NEW = 0x7E020000
_TIOCSTI, _TIOCLINUX, _TIOCSETD = 0x5412, 0x541C, 0x5423
_TERMINAL_IOCTLS = 0x54  # asm-generic/ioctls.h: this group is about terminals and pipes
# What else a program may want of a file or a random device (linux/fs.h, linux/random.h)
_HARMLESS_IOCTLS = (
    *(0x2, 0x40049409, 0x4020940D, 0xC0189436),  # FIGETBSZ FICLONE FICLONERANGE FIDEDUPERANGE
    *(0x80086601, 0x80087601, 0xC020660B),  # FS_IOC_GETFLAGS FS_IOC_GETVERSION FS_IOC_FIEMAP
    *(0x801C581F, 0x80045200),  # FS_IOC_FSGETXATTR RNDGETENTCNT
)
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET, _SOCK_TYPE_MASK = 1, 1, 5, 0xF
_AF_INET, _AF_INET6, _AF_NETLINK = 2, 10, 16
_O_ACCMODE, _O_TRUNC = 0o3, 0o1000
_F_SETLEASE = 1024  # linux/fcntl.h
_PRIO_PGRP, _IOPRIO_WHO_PGRP = 1, 2  # above these: all processes of a user

_NEVER = (
    # namespaces and mounts: a job that makes its own can hide and show files as it likes
    *("unshare", "setns", "mount", "umount2", "pivot_root", "move_mount", "open_tree"),
    *("open_tree_attr", "fsopen", "fsmount", "fsconfig", "fspick", "mount_setattr", "chroot"),
    # looking into, and taking from, other processes
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"),
    *("process_madvise", "migrate_pages", "move_pages"),
    # ways around the file checks
    *("open_by_handle_at", "name_to_handle_at", "fanotify_init"),
    # large, much-attacked parts of the kernel; io_uring's operations pass no filter at all
    *("bpf", "perf_event_open", "userfaultfd"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("keyctl", "add_key", "request_key"),
    # the machine itself
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module"),
    *("quotactl", "quotactl_fd", "swapon", "swapoff", "reboot", "acct", "syslog"),
    *("settimeofday", "clock_settime", "iopl", "ioperm"),
)
_METADATA = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"),
    *("utime", "utimes", "futimesat", "utimensat"),
    *("setxattr", "lsetxattr", "fsetxattr", "setxattrat"),
    *("removexattr", "lremovexattr", "fremovexattr", "removexattrat", "file_setattr"),
)
# System V and POSIX objects have names that the whole machine shares, and outlive the job
_SHARED_OBJECTS = (
    *("shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl"),
    *("msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink"),
)
_SOCKETS = ("socket", "connect", "bind", "listen", "accept", "accept4")
# Calls whose first argument names a process, 0 for oneself: between processes of one uid the
# kernel checks the uid alone, so a job could lower its runner's limits until it dies
_BY_PID = ("prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam")


def filter_for(
    profile: Profile,
    *,
    deny_metadata: bool,
    deny_truncate: bool = False,
    machine: str = os.uname().machine,
) -> bytes:
    """The filter as an array of ``struct sock_filter``, for ``bwrap --seccomp`` or prctl(2).

    A call of another architecture or of the x32 ABI kills the process, since the numbers mean
    other calls there. Calls newer than our table answer ENOSYS, as on the kernel before them.

    Args:
        profile: ``mounts`` for a job in namespaces of its own; ``landlock`` for one that shares
            the host's: no socket but a connected pair, no shared memory objects, no reach into
            other processes of the same uid.
        deny_metadata: Also refuse to change modes, owners, times and attributes of any file.
        deny_truncate: Also refuse the ways to empty a file that Landlock only sees from ABI 3 on.
        machine: As ``uname -m`` says it.

    Raises:
        UnavailableError: ``SANDBOX_UNAVAILABLE``: no table for this machine.
    """
    if machine not in NUMBERS:
        raise UnavailableError(
            "SANDBOX_UNAVAILABLE",
            f"no system call table for {machine!r}, expected one of {sorted(NUMBERS)}",
        )
    rules = _Rules(NUMBERS[machine])
    rules.refuse(_NEVER)
    rules.refuse(("clone3",), errno.ENOSYS)  # its flags lie in memory, where no filter can look
    rules.when("clone", _word(0), _if(_IF_ANY_BIT, _CLONE_NEW, _error(errno.EPERM)))
    rules.when("personality", _word(0), _only(0, 0xFFFFFFFF))  # PER_LINUX, and asking
    rules.when("ioctl", *_ioctl(deny_metadata))
    # Whoever has a file's owner's uid may lease it, though it can only be read: everybody else who
    # opens it, the runner and other jobs on the same checkout, then waits 45 s (fcntl(2), Leases)
    rules.when("fcntl", _word(1), _if(_IF_EQUAL, _F_SETLEASE, _error(errno.EPERM)))
    if deny_metadata:
        rules.refuse(_METADATA)
    if deny_truncate:
        rules.refuse(("truncate",))
        rules.refuse(("openat2",), errno.ENOSYS)  # likewise
        rules.when("open", *_no_reading_truncation(1))
        rules.when("openat", *_no_reading_truncation(2))
    if profile == "landlock":
        _share_the_host(rules)
    else:
        # The other families aren't all the network namespace's: AF_VSOCK reaches the hypervisor
        # and the host's own listeners from inside any namespace (vsock(7)), AF_ALG the kernel's
        # ciphers. getifaddrs(3) needs netlink, which belongs to the namespace.
        rules.when(
            "socket",
            _word(0),
            _only(_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK, number=errno.EAFNOSUPPORT),
        )
    return b"".join((_only_native(machine), rules.program, _return(_ALLOW)))


class _Rules:
    """The part of the program that looks at the number of the call."""

    def __init__(self, numbers: dict[str, int]) -> None:
        self._numbers = numbers
        self.program = b""

    def refuse(self, names: tuple[str, ...], number: int = errno.EPERM) -> None:
        for name in names:
            self.when(name, _error(number))

    def when(self, name: str, *block: bytes) -> None:
        """For this call do what ``block`` says; if it says nothing, the call is allowed.

        Raises:
            BugError: ``SYSCALL_UNKNOWN``: no machine has it, so the rule would silently be none.
        """
        if not any(name in numbers for numbers in NUMBERS.values()):
            raise BugError("SYSCALL_UNKNOWN", f"no system call {name!r} in the table")
        if name in self._numbers:  # a machine that hasn't got the call needs no rule
            body = b"".join(block) + _return(_ALLOW)
            self.program += _if(_IF_EQUAL, self._numbers[name], body)


def _share_the_host(rules: _Rules) -> None:
    """Closes what namespaces would: sockets, shared objects, other processes' scheduling."""
    rules.refuse(_SOCKETS, errno.EACCES)
    rules.when(
        "socketpair",
        _word(0),
        _unless_equal(_AF_UNIX, _error(errno.EACCES)),
        _word(1),
        _step(_AND, _SOCK_TYPE_MASK),
        # a datagram pair could be sent from, or connected, to anybody's socket
        _only(_SOCK_STREAM, _SOCK_SEQPACKET, number=errno.EACCES),
    )
    no_address = _only(0, number=errno.EACCES)
    rules.when("sendto", _word(4), _unless_equal(0, _error(errno.EACCES)), _high(4), no_address)
    rules.refuse(_SHARED_OBJECTS)
    for name in (*_BY_PID, "sched_setattr"):
        rules.when(name, _word(0), _only(0))
    for name, own_group in (("setpriority", _PRIO_PGRP), ("ioprio_set", _IOPRIO_WHO_PGRP)):
        whole_user = _if(_IF_GREATER, own_group, _error(errno.EPERM))
        rules.when(name, _word(0), whole_user, _word(1), _only(0))


def _only_native(machine: str) -> bytes:
    """Kills calls of other ABIs, refuses those after our time; leaves the call's number loaded."""
    kill = _return(_KILL_PROCESS)
    foreign = _step(_LOAD_WORD, _ARCH) + _unless_equal(_AUDIT_ARCH[machine], kill)
    x32 = _if(_IF_AT_LEAST, _X32_BIT, kill) if machine == "x86_64" else b""
    newer = _if(_IF_GREATER, LAST_KNOWN, _error(errno.ENOSYS))
    return foreign + _step(_LOAD_WORD, _NR) + x32 + newer


def _ioctl(deny_metadata: bool) -> tuple[bytes, ...]:
    """Never typing into a terminal; with ``deny_metadata`` nothing but the known harmless ones.

    Each file system brings ioctls of its own that change attributes, versions, subvolumes or
    encryption through a descriptor opened for reading: no list of the bad ones would be complete.
    """
    typing = (
        _word(1),
        *(_if(_IF_EQUAL, one, _error(errno.EPERM)) for one in (_TIOCSTI, _TIOCLINUX, _TIOCSETD)),
    )
    if not deny_metadata:
        return typing
    harmless = (_if(_IF_EQUAL, one, _return(_ALLOW)) for one in _HARMLESS_IOCTLS)
    group = _step(_SHIFT_RIGHT, 8) + _step(_AND, 0xFF)
    return (*typing, *harmless, group, _only(_TERMINAL_IOCTLS))


def _no_reading_truncation(flags: int) -> tuple[bytes, ...]:
    """Refuses O_TRUNC without O_WRONLY or O_RDWR, which Landlock before ABI 3 lets through."""
    word = _word(flags)
    refuse = _error(errno.EACCES)
    truncates = _step(_AND, _O_TRUNC | _O_ACCMODE)
    return (
        word,
        truncates,
        _if(_IF_EQUAL, _O_TRUNC, refuse),
        _if(_IF_EQUAL, _O_TRUNC | _O_ACCMODE, refuse),
    )


def _step(code: int, k: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One ``struct sock_filter``."""
    return struct.pack("=HBBI", code, if_true, if_false, k)


def _if(test: int, k: int, block: bytes) -> bytes:
    """Does ``block`` if ``test`` of the loaded word and ``k`` holds, else skips it."""
    return _step(test, k, 0, len(block) // 8) + block


def _unless_equal(k: int, block: bytes) -> bytes:
    return _step(_IF_EQUAL, k, len(block) // 8, 0) + block


def _only(*allowed: int, number: int = errno.EPERM) -> bytes:
    """Allows the call for these values of the loaded word and refuses it for all others."""
    tests = b"".join(_if(_IF_EQUAL, one, _return(_ALLOW)) for one in allowed)
    return tests + _error(number)


def _return(action: int) -> bytes:
    return _step(_RETURN, action)


def _error(number: int) -> bytes:
    return _return(_ERRNO | number)


def _word(argument: int) -> bytes:
    """Loads the lower half of an argument (both machines are little-endian)."""
    return _step(_LOAD_WORD, _ARGS + 8 * argument)


def _high(argument: int) -> bytes:
    return _step(_LOAD_WORD, _ARGS + 8 * argument + 4)
