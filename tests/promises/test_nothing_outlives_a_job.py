"""Daemons, fork bombs and deaf processes: whatever ends a job leaves nothing of it alive."""

import os
import time
from pathlib import Path

import pytest

from runner.model.job import Reason, Status
from runner.model.sandbox import Stop
from tests.support.workshop import Workshop

TOKEN = "aiops-survivor-"

DAEMONS = {
    "background": "sleep 300 & disown",
    "nohup": "nohup sleep 300 >/dev/null 2>&1 &",
    "setsid": "setsid sleep 300 >/dev/null 2>&1 &",
    "double_fork": "(setsid bash -c 'sleep 300 & disown' &) ",
    "deaf": "setsid bash -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' & disown",
    "holds_the_log": "setsid bash -c 'trap \"\" TERM; sleep 300; echo late' & disown",
}


def _alive(mark: str) -> list[str]:
    """The command lines of processes on this host that carry ``mark`` in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().decode(errors="replace"))
            except OSError:
                continue
    return found


@pytest.mark.parametrize("daemon", DAEMONS.values(), ids=DAEMONS.keys())
def test_after_the_job_ended_by_itself(workshop: Workshop, daemon: str) -> None:
    mark = TOKEN + os.urandom(6).hex()
    artifact = workshop.run(f"export MARK={mark}\n{daemon}\nexit 0")
    assert _alive(mark) == []
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert artifact.invariants.no_orphans_ok is True


@pytest.mark.parametrize("daemon", DAEMONS.values(), ids=DAEMONS.keys())
def test_after_the_time_limit(workshop: Workshop, daemon: str) -> None:
    mark = TOKEN + os.urandom(6).hex()
    script = f"export MARK={mark}\ntrap '' TERM\n{daemon}\nwhile :; do sleep 1; done"
    artifact = workshop.run(script, timeout_s=1)
    assert _alive(mark) == []
    assert (artifact.status, artifact.reason) == (Status.TIMEOUT, Reason.TIMEOUT)
    assert artifact.invariants.no_orphans_ok is True


def test_after_a_cancel(workshop: Workshop) -> None:
    mark = TOKEN + os.urandom(6).hex()
    workshop.add("attack", f"export MARK={mark}\n{DAEMONS['deaf']}\nsleep 300")
    began = time.monotonic()
    artifact = workshop.execute(workshop.submit("attack"), stop=Stop.CANCELLED)
    assert _alive(mark) == []
    assert (artifact.status, artifact.reason) == (Status.CANCELLED, Reason.CANCELLED)
    assert time.monotonic() - began < 20


def test_a_job_gets_sigterm_and_time_to_end(workshop: Workshop) -> None:
    script = "trap 'echo ended in order; exit 3' TERM\nwhile :; do sleep 0.05; done"
    artifact = workshop.run(script, timeout_s=1)
    assert workshop.log(artifact) == "ended in order\n"
    assert artifact.status is Status.TIMEOUT
    assert artifact.exit_code == 3


def test_a_fork_bomb_ends_with_its_job_and_the_next_one_runs(workshop: Workshop) -> None:
    mark = TOKEN + os.urandom(6).hex()
    bomb = f"export MARK={mark}\nb() {{ b | b & }}\nb 2>/dev/null\nsleep 300"
    limits = {"processes": 64}
    artifact = workshop.run(bomb, timeout_s=2, limits=limits)
    assert _alive(mark) == []
    assert artifact.status in (Status.TIMEOUT, Status.FAILURE)
    assert artifact.invariants.no_orphans_ok is True
    assert workshop.run("echo fine", limits=limits).status is Status.SUCCESS


def test_a_job_cannot_kill_what_supervises_it(workshop: Workshop) -> None:
    script = "kill -9 $PPID; kill -9 -1; sleep 0.2; echo unreached"
    artifact = workshop.run(script)
    assert artifact.invariants.no_orphans_ok is True
    assert artifact.status in (Status.FAILURE, Status.SUCCESS)
    assert workshop.run("echo fine").status is Status.SUCCESS
