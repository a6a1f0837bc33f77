"""What a job under Landlock can and can't do, tried by real jobs."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.adapters.sandbox import landlock_view
from runner.errors import BugError, IntegrityError, UnavailableError
from runner.model.catalog import Limits
from runner.model.sandbox import Bind
from tests.support.git_repos import make_repo
from tests.support.landlock_jobs import JOB_UID, PROLOGUE, Stage, backend, run, run_to_end
from tests.support.processes import descendants

pytestmark = pytest.mark.needs_landlock
ABIS = pytest.mark.parametrize("abi", [1, 2, 3, 4, 5, 6, 7])

_TRY_ALL = """
import json, os, sys
def refused(action):
    try:
        action()
    except OSError as error:
        return error.errno
    return 0
artifacts = os.environ["ARTIFACT_DIR"]
above = sys.argv[1]
w = lambda path, flags=os.O_WRONLY: lambda: os.close(os.open(path, flags | os.O_CLOEXEC, 0o600))
print(json.dumps({name: refused(action) for name, action in {
    "write": w("file"), "append": w("file", os.O_WRONLY | os.O_APPEND),
    "create": w("new", os.O_WRONLY | os.O_CREAT), "tmpfile": w(".", os.O_TMPFILE | os.O_RDWR),
    "truncate": lambda: os.truncate("file", 0), "open_truncate": w("file", os.O_TRUNC),
    "open_truncate_3": w("file", os.O_TRUNC | 3), "reopen": w("/proc/self/cwd/file"),
    "unlink": lambda: os.unlink("file"), "rename": lambda: os.rename("file", "x"),
    "move_out": lambda: os.rename("file", artifacts + "/x"),
    "link_out": lambda: os.link("file", artifacts + "/x"),
    "move_in": lambda: os.rename(artifacts + "/params.json", "x"),
    "mkdir": lambda: os.mkdir("x"), "rmdir": lambda: os.rmdir("below"),
    "symlink": lambda: os.symlink("x", "y"), "mkfifo": lambda: os.mkfifo("x"),
    "socket_file": lambda: os.mknod("x", 0o140600),
    "chmod": lambda: os.chmod("file", 0o777), "chmod_folder": lambda: os.chmod(".", 0o777),
    "chown": lambda: os.chown("file", os.getuid(), os.getgid()),
    "utime": lambda: os.utime("file", (1, 1)), "now": lambda: os.utime("file"),
    "xattr": lambda: os.setxattr("file", "user.x", b"1"),
    "git_head": w("../git/HEAD"), "objects": w(above + "/objects/x", os.O_WRONLY | os.O_CREAT),
    "wrapper": w(above + "/wrappers/hello"), "wrapper_chmod": lambda: os.chmod(above + "/wrappers", 0o777),
    "scratch": w(os.path.dirname(artifacts) + "/x", os.O_WRONLY | os.O_CREAT),
    "etc": w("/etc/passwd"), "tmp": w("/tmp/aiops-x", os.O_WRONLY | os.O_CREAT),
    "shm": w("/dev/shm/aiops-x", os.O_WRONLY | os.O_CREAT), "usr": w("/usr/x", os.O_WRONLY | os.O_CREAT),
    "oom": w("/proc/self/oom_score_adj"), "core": w("/proc/sys/kernel/core_pattern"),
}.items()}))
"""


@pytest.fixture
def stage(state_dir: Path) -> Stage:
    return Stage(state_dir)


def _snapshot(stage: Stage) -> list[tuple[str, os.stat_result]]:
    return [
        (str(path), path.stat())
        for name in ("entry", "objects", "wrappers")
        for path in sorted((stage.folder / name).rglob("*"))
    ]


def _ignoring_atime(found: list[tuple[str, os.stat_result]]) -> list[tuple[object, ...]]:
    return [
        (name, it.st_mode, it.st_ino, it.st_size, it.st_mtime_ns, it.st_ctime_ns)
        for name, it in found
    ]


@ABIS
def test_blocks_every_change_outside_the_jobs_own_folders(stage: Stage, abi: int) -> None:
    before = _ignoring_atime(_snapshot(stage))
    ended = run(stage.python(_TRY_ALL, str(stage.folder)), newest_abi=abi)
    assert ended.exit.exit_code == 0, ended.stderr
    tried = json.loads(ended.stdout)
    assert [name for name, number in tried.items() if number == 0] == []
    assert _ignoring_atime(_snapshot(stage)) == before


@ABIS
def test_still_allows_all_work_in_the_jobs_own_folders(stage: Stage, abi: int) -> None:
    script = r"""
set -e
for folder in "$ARTIFACT_DIR" "$TMPDIR" "$HOME"; do
  cd "$folder"; mkdir a; echo 1 >a/x; echo 2 >>a/x; : >a/y; mv a/x a/z; ln a/z a/hard; ln -s a b
  mkfifo pipe; cp /bin/true a/run; chmod 755 a/run 2>/dev/null || true; rm -r a/y pipe; cat a/z
done
mkdir "$TMPDIR/from"; echo 3 >"$TMPDIR/from/x"; mv "$TMPDIR/from/x" "$TMPDIR/a/moved"
"""
    ended = run(stage.shell(script), newest_abi=abi)
    assert (ended.exit.exit_code, ended.stdout) == (0, "1\n2\n" * 3), ended.stderr


@pytest.mark.parametrize(
    "path",
    [
        "{above}/secret",
        "/proc/1/cmdline",
        "/proc/1/environ",
        "/proc/self/environ",
        "/proc/mounts",
        "/etc/hostname",
        "/root",
        "/home",
        "/tmp",
        "/proc",
        "/dev",
        "/var",
        "/run",
        "/",
    ],
)
def test_blocks_reading_what_was_not_given(stage: Stage, path: str) -> None:
    code = "import os, sys; os.open(sys.argv[1], os.O_RDONLY)"
    ended = run(stage.python(code, path.format(above=stage.folder)))
    assert ended.exit.exit_code == 1
    assert "PermissionError" in ended.stderr or "FileNotFoundError" in ended.stderr


def test_still_allows_reading_what_was_given(stage: Stage) -> None:
    script = f"""
set -e
cat file; ls below; cat ../git/HEAD >/dev/null; ls {stage.folder}/objects; cat /proc/meminfo >/dev/null
cat "$ARTIFACT_DIR/params.json"; head -c 1 /dev/urandom >/dev/null; echo x >/dev/null
cat <(echo substituted)
"""
    ended = run(stage.shell(script))
    assert ended.exit.exit_code == 0, ended.stderr
    assert ended.stdout == 'content{"key": "value"}substituted\n'


def test_a_wrapper_and_its_folder_are_where_the_job_is_told(stage: Stage) -> None:
    ended = run(stage.command("wrappers/hello"))
    assert ended.stdout == f"hello from {stage.folder}/wrappers/hello\n"
    ended = run(stage.shell('exec "$AIOPS_WRAPPERS/hello"'))
    assert ended.stdout == f"hello from {stage.folder}/wrappers/hello\n"


def test_the_environment_is_the_planned_one_and_no_more(stage: Stage) -> None:
    command = stage.command("/usr/bin/env", env=(("CHOSEN", "a\nb"),))
    found = run(command).stdout
    own = {"ARTIFACT_DIR": "artifacts", "TMPDIR": "tmp", "HOME": "home"}
    expected = {name: str(command.scratch / folder) for name, folder in own.items()}
    expected |= dict(command.env) | {"AIOPS_WRAPPERS": str(command.wrappers)}
    # the prologue's shell sets PWD, OLDPWD, SHLVL and _ by itself
    kept = [
        line
        for line in found.splitlines()
        if line.partition("=")[0] not in {"PWD", "OLDPWD", "SHLVL", "_"}
    ]
    assert sorted(kept) == sorted("\n".join(f"{n}={v}" for n, v in expected.items()).split("\n"))


def test_nothing_of_the_runner_is_inherited(stage: Stage) -> None:
    """Descriptors 0 to 2 only, no ignored or blocked signals, a session of its own, no new rights."""
    code = """
import os, resource, signal
fds = [fd for fd in range(64) if fd not in (0, 1, 2) and os.path.exists(f"/proc/self/fd/{fd}")]
ignored = [s for s in signal.valid_signals() if s not in (13, 25) and signal.getsignal(s) == signal.SIG_IGN]
print(fds, ignored, signal.pthread_sigmask(0, ()), os.getsid(0) == os.getpgid(0) == os.getpid())
print(os.readlink("/proc/self/fd/0"), resource.getrlimit(resource.RLIMIT_CORE), os.getcwd())
"""
    old = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        ended = run(stage.python(code))
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert ended.stdout.splitlines() == [
        "[] [] set() True",
        f"/dev/null (0, 0) {stage.folder}/entry/tree",
    ], ended.stderr


def test_the_limits_hold_and_cannot_be_raised(stage: Stage) -> None:
    limits = Limits(
        cpu_s=77, open_files=55, memory_bytes=1 << 28, output_bytes=1 << 20, tmp_bytes=1 << 20
    )
    code = """
import json, resource as r
kinds = (r.RLIMIT_CPU, r.RLIMIT_NOFILE, r.RLIMIT_DATA, r.RLIMIT_FSIZE)
print(json.dumps([r.getrlimit(k) for k in kinds]))
for k in kinds:
    try:
        r.setrlimit(k, (1 << 40, 1 << 40)); print("raised", k)
    except (ValueError, OSError):
        pass
"""
    # root could raise them, but a job never is root
    command = stage.python(code).model_copy(update={"limits": limits})
    found = run(command).stdout.splitlines()
    assert json.loads(found[0]) == [[77, 77], [55, 55], [1 << 28] * 2, [1 << 20] * 2]
    assert found[1:] == []


def test_a_hard_limit_of_the_runner_is_kept_where_it_is_lower(stage: Stage) -> None:
    code = f"""
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
from tests.support.landlock_jobs import Stage, run
print(run(Stage(Path({str(stage.folder / "second")!r})).shell("ulimit -Hn")).stdout)
"""
    root = Path(__file__).parents[3]
    # a process of its own, since a lowered hard limit is for ever
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "300", done.stderr


def test_the_evidence_names_every_read_only_place(stage: Stage) -> None:
    command = stage.shell("true")
    with backend().start(command) as contained:
        assert contained.evidence.all_refused
        assert f"inode {(command.checkout / 'tree').stat().st_ino}" in contained.evidence.identity
        seen = [Path(mount.path) for mount in contained.evidence.mounts]
    assert seen == list(landlock_view.read_only(command))
    assert seen == [
        command.checkout / "tree",
        command.checkout / "git",
        command.objects,
        command.wrappers,
    ]


def test_a_job_is_not_run_if_a_place_can_be_written_to(stage: Stage) -> None:
    """Its artifact folder is given as a bind too, which its own folder's rule makes writable."""
    command = stage.shell("echo ran")
    own = command.scratch / "home"
    moved = command.model_copy(update={"binds": (Bind(source=own, target=str(own)),)})
    with pytest.raises(IntegrityError, match=r"SANDBOX_FAILED.*home could be written to"):
        backend().start(moved)


def test_a_bind_that_would_have_to_move_is_a_bug(stage: Stage) -> None:
    command = stage.shell("true").model_copy(
        update={"binds": (Bind(source=stage.folder / "objects", target="/job/objects"),)}
    )
    with pytest.raises(BugError, match="BIND_MOVED"):
        backend().start(command)


def test_a_prologue_that_fails_is_reported_with_its_own_words(stage: Stage) -> None:
    prologue = stage.folder / "prologue.sh"
    prologue.write_text("echo the shell is broken >&2; exit 99\n")
    with pytest.raises(UnavailableError, match="the shell is broken"):
        backend(prologue=prologue).start(stage.shell("true"))


def test_what_is_missing_is_reported_by_name(stage: Stage) -> None:
    command = stage.shell("true").model_copy(update={"objects": stage.folder / "gone"})
    with pytest.raises(UnavailableError, match="gone"):
        backend().start(command)


def test_a_failed_start_leaves_no_descriptor_and_no_process(stage: Stage) -> None:
    prologue = stage.folder / "prologue.sh"
    prologue.write_text("exit 99\n")
    before = sorted(os.listdir("/proc/self/fd"))
    children = descendants(os.getpid())
    with pytest.raises(UnavailableError):
        backend(prologue=prologue).start(stage.shell("true"))
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert descendants(os.getpid()) == children


def test_a_job_that_is_never_told_to_go_never_ran(stage: Stage) -> None:
    command = stage.shell('touch "$ARTIFACT_DIR/ran"')
    with backend().start(command) as contained:
        contained.kill()
        death = contained.reap(10)
    assert (death.exit_code, death.proven) == (None, True)
    assert sorted(os.listdir(command.scratch / "artifacts")) == ["params.json"]


def test_the_outputs_stay_pinned_when_the_job_replaces_the_folder(stage: Stage) -> None:
    """The folder's own name can't be changed from inside, and the descriptor wouldn't follow it."""
    command = stage.shell(
        'rm -r "$ARTIFACT_DIR"; mv "$ARTIFACT_DIR" "$ARTIFACT_DIR-2"; echo 1 >"$ARTIFACT_DIR/x"'
    )
    with backend().start(command) as contained:
        run_to_end(contained)
        assert os.listdir(contained.outputs_fd) == ["x"]


@pytest.mark.needs_root
def test_a_job_of_root_has_another_uid_and_no_groups(stage: Stage) -> None:
    code = "import os; print(os.getresuid(), os.getresgid(), os.getgroups())"
    ids = (JOB_UID,) * 3
    assert run(stage.python(code)).stdout == f"{ids} {ids} []\n"


@pytest.mark.needs_root
def test_a_job_of_root_works_below_a_folder_that_only_root_may_pass(stage: Stage) -> None:
    """The way there is opened for this job alone; what else lies there stays unseen."""
    closed = stage.folder / "closed"
    closed.mkdir(mode=0o700)
    inside = Stage(closed / "below")
    linked = stage.folder / "linked"
    linked.symlink_to(closed / "below")
    prologue = closed / "prologue.sh"
    prologue.write_bytes(PROLOGUE.read_bytes())
    command = inside.shell(
        f'cat file; echo 1 >"$ARTIFACT_DIR/x"; cat {closed}/below/secret; ls {closed}'
    )
    with backend(prologue=prologue).start(command) as contained:
        ended = run_to_end(contained)
    assert ended.stdout == "content"
    assert ended.stderr.count("No such file") == 1
    assert ended.stderr.count("Permission denied") == 1
    assert (command.scratch / "artifacts/x").read_text() == "1\n"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert str(closed) not in Path("/proc/self/mountinfo").read_text()
    command.scratch.chmod(0o700)
    by_link = command.model_copy(
        update={"wrappers": linked / "wrappers", "argv": ("wrappers/hello",)}
    )
    for name in ("artifacts", "tmp", "home"):
        subprocess.run(["rm", "-r", command.scratch / name], check=True)
    assert run(by_link).stdout.startswith("hello")


@pytest.mark.needs_ordinary_user
def test_metadata_of_the_jobs_own_files_is_refused_too(stage: Stage) -> None:
    """The price of a job that owns the tree: a filter can't tell whose file a call is about."""
    code = "import os; p = os.environ['TMPDIR'] + '/x'; open(p, 'w'); os.chmod(p, 0o600)"
    assert f"[Errno {errno.EPERM}]" in run(stage.python(code)).stderr


def test_git_reads_the_tree(stage: Stage) -> None:
    repository = make_repo(stage.folder / "entry/tree/repository", {"a": "1"})
    for path in (repository, *repository.rglob("*")):
        path.chmod(path.stat().st_mode | 0o755)
    env = (
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GIT_CONFIG_VALUE_0", "*"),
    )
    script = (
        "cd repository && git status --short && git log --format=%s%n && git diff HEAD && echo ok"
    )
    ended = run(stage.command("/bin/bash", "-c", script, env=(*env, ("GIT_OPTIONAL_LOCKS", "0"))))
    assert ended.stdout.endswith("ok\n"), ended.stderr
    ended = run(
        stage.command("/bin/bash", "-c", "cd repository && git commit --allow-empty -m x", env=env)
    )
    assert ended.exit.exit_code not in {0, None}


def test_the_size_of_what_a_job_writes_is_seen_from_outside(stage: Stage) -> None:
    command = stage.shell('head -c 3000000 /dev/zero >"$TMPDIR/x"; sync "$TMPDIR/x"')
    with backend().start(command) as contained:
        before = contained.output_bytes()
        run_to_end(contained)
        assert 3_000_000 <= contained.output_bytes() - before <= 3_100_000


@pytest.fixture(autouse=True)
def _nothing_is_left(stage: Stage) -> Iterator[None]:
    """No test may leave a child of this process behind."""
    before = descendants(os.getpid())
    yield
    assert descendants(os.getpid()) == before
