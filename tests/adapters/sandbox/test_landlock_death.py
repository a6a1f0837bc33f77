"""However a job under Landlock ends, and whatever it leaves behind: nothing of it lives on."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runner.model.catalog import Limits
from runner.model.sandbox import Stop
from tests.support.landlock_jobs import JOB_UID, Stage, alive_with, backend, run, run_to_end

pytestmark = pytest.mark.needs_landlock
# from ABI 6 on the kernel keeps signals inside, before that descendants are looked for one by one
SCOPES = pytest.mark.parametrize("abi", [7, 5], ids=["scoped", "walked"])
ROOT = Path(__file__).parents[3]

DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        os.write(1, b"up")
        os.closerange(0, 3)
        time.sleep(60)
    os._exit(0)
os.wait()
"""


@pytest.fixture
def stage(state_dir: Path) -> Stage:
    return Stage(state_dir)


@pytest.fixture
def mark() -> str:
    return f"AIOPS-MARK-{os.urandom(8).hex()}"


@SCOPES
def test_the_exit_code_is_the_jobs_own(stage: Stage, abi: int) -> None:
    end = run(stage.shell("exit 7"), newest_abi=abi).exit
    assert (end.exit_code, end.signal, end.orphans, end.proven_dead) == (7, None, 0, True)
    assert end.death_proof == "subreaper"


@SCOPES
def test_death_by_a_signal_is_told_as_a_shell_tells_it(stage: Stage, abi: int) -> None:
    end = run(stage.shell("kill -SEGV $$"), newest_abi=abi).exit
    assert (end.exit_code, end.signal, end.proven_dead) == (139, 11, True)


def test_a_program_that_does_not_exist_ends_as_in_a_shell(stage: Stage) -> None:
    assert run(stage.command("/usr/bin/no-such-program")).exit.exit_code == 127


@SCOPES
def test_blocks_a_deaf_daemon_that_left_its_session(stage: Stage, mark: str, abi: int) -> None:
    command = stage.python(DAEMON + "time.sleep(0.1)", mark)
    command = command.model_copy(update={"env": (*command.env, ("MARK", mark))})
    ended = run(command, newest_abi=abi)
    assert ended.stdout == "up"
    assert (ended.exit.exit_code, ended.exit.orphans, ended.exit.proven_dead) == (0, 1, True)
    assert alive_with(mark) == []


@SCOPES
def test_counts_every_process_that_outlived_the_job(stage: Stage, abi: int) -> None:
    ended = run(stage.shell("for n in 1 2 3; do sleep 60 & done; exit 3"), newest_abi=abi)
    assert (ended.exit.exit_code, ended.exit.orphans, ended.exit.proven_dead) == (3, 3, True)


@SCOPES
def test_still_allows_children_that_end_before_the_job(stage: Stage, abi: int) -> None:
    ended = run(stage.shell("(true &); sleep 0.05 & wait; true | cat"), newest_abi=abi)
    assert (ended.exit.exit_code, ended.exit.orphans) == (0, 0)


@SCOPES
def test_blocks_a_fork_bomb(stage: Stage, mark: str, abi: int) -> None:
    """Every process makes more as fast as it can, from sessions of their own, deaf to SIGTERM."""
    bomb = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        pass
"""
    command = stage.python(bomb)
    command = command.model_copy(
        update={"env": (*command.env, ("MARK", mark)), "limits": Limits(processes=64)}
    )
    ended = run(command, newest_abi=abi, timeout_s=0.5)
    assert ended.exit.stopped is Stop.TIMEOUT
    assert (ended.exit.exit_code, ended.exit.proven_dead) == (137, True)
    assert ended.exit.orphans is not None
    assert ended.exit.orphans > 10
    assert alive_with(mark) == []


@SCOPES
def test_processes_are_limited_whatever_else_the_uid_runs(stage: Stage, abi: int) -> None:
    """The kernel counts a uid's processes: another test of this user may come between, so some
    tries are allowed. Without the limit each of them makes 90."""
    code = """
import os, time
made = 0
try:
    while made < 90:
        if os.fork() == 0:
            time.sleep(60)
        made += 1
except BlockingIOError:
    print(made)
"""
    made = []
    for _ in range(6):
        command = stage.python(code).model_copy(update={"limits": Limits(processes=20)})
        ended = run(command, newest_abi=abi)
        assert ended.exit.orphans == int(ended.stdout or "90")
        made.append(ended.exit.orphans)
        if 10 <= made[-1] <= 20:
            return
    pytest.fail(f"made {made} processes, expected 10 to 20")


@SCOPES
def test_sigterm_reaches_all_of_the_job_and_may_be_obeyed(stage: Stage, abi: int) -> None:
    script = """
setsid bash -c 'trap "echo child; exit" TERM; echo ready; while :; do sleep 0.02; done' &
trap 'wait; echo parent; exit 9' TERM
while :; do sleep 0.02; done
"""
    with backend(newest_abi=abi).start(stage.shell(script)) as contained:
        contained.go()
        _await_text(contained.stdout_fd, b"ready")
        contained.terminate()
        said = _await_text(contained.stdout_fd, b"parent")
        death = contained.reap(10)
    assert said.split() == [b"child", b"parent"]
    assert (death.exit_code, death.proven) == (9, True)


@SCOPES
def test_leaving_the_context_kills_a_running_job(stage: Stage, mark: str, abi: int) -> None:
    command = stage.python("print('up', flush=True)\n" + DAEMON + "time.sleep(60)")
    command = command.model_copy(update={"env": (*command.env, ("MARK", mark))})
    with backend(newest_abi=abi).start(command) as contained:
        contained.go()
        _await_text(contained.stdout_fd, b"up")
        assert alive_with(mark)
    assert alive_with(mark) == []


_RUNNER = """
import sys, time
from pathlib import Path
from tests.support.landlock_jobs import Stage, backend
stage = Stage(Path(sys.argv[1]) / "second")
command = stage.python(sys.argv[2])
command = command.model_copy(update={"env": (*command.env, ("MARK", sys.argv[3]))})
contained = backend(newest_abi=int(sys.argv[4])).start(command)
contained.go()
print("gone", flush=True)
time.sleep(60)
"""


@SCOPES
def test_blocks_a_job_from_outliving_a_runner_that_was_killed(
    stage: Stage, mark: str, abi: int
) -> None:
    code = DAEMON + "open(os.environ['ARTIFACT_DIR'] + '/up', 'w').close(); time.sleep(60)"
    runner = subprocess.Popen(
        [sys.executable, "-c", _RUNNER, stage.folder, code, mark, str(abi)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert runner.stdout
    assert runner.stdout.readline() == b"gone\n"
    up = stage.folder / "second/scratch-1/artifacts/up"
    _until(up.exists)
    assert len(alive_with(mark)) >= 2
    runner.kill()
    runner.wait()
    runner.stdout.close()
    _until(lambda: alive_with(mark) == [])


def test_a_killed_supervisor_takes_the_job_with_it_and_proves_nothing(stage: Stage) -> None:
    with backend().start(stage.shell("sleep 60")) as contained:
        contained.go()
        supervisor = contained._pipes.process
        os.kill(supervisor.pid, signal.SIGKILL)
        death = contained.reap(10)
        assert (death.exit_code, death.orphans, death.proven) == (None, None, False)
        assert "supervisor" in death.error
        # the job's own process dies with its parent: its end of the pipe closes
        assert select.select([contained.stdout_fd], [], [], 10)[0]


def test_still_runs_on_when_the_thread_that_started_it_has_ended(stage: Stage) -> None:
    """PR_SET_PDEATHSIG follows the thread, and this program isn't dead because a thread is."""
    command = stage.shell("read -t 0.3 <>/dev/zero; echo done")
    started = []
    thread = threading.Thread(target=lambda: started.append(backend().start(command)))
    thread.start()
    thread.join()
    with started[0] as contained:
        assert run_to_end(contained).stdout == "done\n"


@pytest.mark.parametrize("what", ["KILL", "TERM", "STOP"])
def test_blocks_signals_to_the_supervisor_the_runner_and_everybody(stage: Stage, what: str) -> None:
    """From the job's view ``kill -1`` is about its own processes alone."""
    bystander = subprocess.Popen(["/bin/sleep", "60"], user=JOB_UID, group=JOB_UID)
    try:
        script = f"""
trap '' TERM
kill -{what} $PPID && echo supervisor
kill -{what} {os.getpid()} && echo runner
kill -{what} {bystander.pid} && echo bystander
kill -{what} -- -{os.getpgid(0)} && echo group
(kill -{what} -1)
echo end
"""
        limit = 2.0 if what == "STOP" else 30.0
        ended = run(stage.shell(script), timeout_s=limit)
        assert ended.stdout.split() in ([], ["end"])
        assert ended.exit.proven_dead
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_blocks_looking_into_and_lowering_the_supervisor(stage: Stage) -> None:
    code = """
import os, resource
parent = os.getppid()
def refused(action, *arguments):
    try:
        action(*arguments)
    except OSError:
        return True
print([refused(open, f"/proc/{parent}/{name}") for name in ("mem", "environ", "cmdline", "maps")],
      refused(resource.prlimit, parent, resource.RLIMIT_CPU, (1, 1)),
      refused(os.setpriority, os.PRIO_PROCESS, parent, 19))
"""
    assert run(stage.python(code)).stdout == "[True, True, True, True] True True\n"


def test_a_job_that_closes_its_output_has_not_ended(stage: Stage) -> None:
    ended = run(stage.shell("exec >&- 2>&-; read -t 0.2 <>/dev/zero; exit 4"))
    assert ended.exit.exit_code == 4


def _await_text(fd: int, wanted: bytes) -> bytes:
    said = b""
    while wanted not in said:
        assert select.select([fd], [], [], 20)[0], said
        piece = os.read(fd, 4096)
        assert piece, said
        said += piece
    return said


def _until(condition: object) -> None:
    """Waits for something of which no event tells a process that isn't the parent."""
    assert callable(condition)
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
