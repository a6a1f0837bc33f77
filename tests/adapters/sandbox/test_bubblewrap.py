"""bubblewrap: what a job sees, what is refused before it starts, and how its end is known."""

import os
import select
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.adapters.sandbox.bubblewrap import BubblewrapBackend
from runner.adapters.sandbox.supervise import supervise
from runner.errors import IntegrityError, UnavailableError
from runner.model.sandbox import Bind, ConfinedCommand, ProcessExit, Stop
from tests.support.bubblewrap_jobs import BWRAP
from tests.support.bubblewrap_jobs import backend as bubblewrap
from tests.support.landlock_jobs import Stage

pytestmark = pytest.mark.needs_bubblewrap


@pytest.fixture
def backend() -> BubblewrapBackend:
    return bubblewrap()


@pytest.fixture
def stage(state_dir: Path) -> Stage:
    return Stage(state_dir / "stage")


def _run(
    backend: BubblewrapBackend, command: ConfinedCommand, *, stop: Stop | None = None
) -> tuple[ProcessExit, str]:
    said = bytearray()
    with backend.start(command) as contained:
        end = supervise(
            contained,
            stdout=said.extend,
            stderr=said.extend,
            timeout_s=20,
            grace_s=0.2,
            output_limit_bytes=2**40,
            should_stop=lambda: stop,
        )
    return end, said.decode()


def test_the_exit_code_is_the_jobs_own(backend: BubblewrapBackend, stage: Stage) -> None:
    end, said = _run(backend, stage.shell("echo hello; exit 7"))
    assert (end.exit_code, end.signal, end.proven_dead, said) == (7, None, True, "hello\n")


def test_a_death_by_signal_is_reported_as_a_shell_does(
    backend: BubblewrapBackend, stage: Stage
) -> None:
    end, _ = _run(backend, stage.shell("kill -9 $$"))
    assert (end.exit_code, end.signal) == (137, 9)


def test_the_evidence_names_every_read_only_place_with_the_kernels_account(
    backend: BubblewrapBackend, stage: Stage
) -> None:
    with backend.start(stage.shell("true")) as contained:
        evidence = contained.evidence
    assert evidence.all_refused
    paths = {mount.path for mount in evidence.mounts}
    assert {"/", "/usr", "/job/tree", "/job/git", "/job/objects", "/job/wrappers"} <= paths
    assert all("ro" in mount.options.split(",") for mount in evidence.mounts)
    assert (stage.folder / "entry/tree").stat().st_ino == int(evidence.identity.split()[-1])


def test_what_is_bound_below_tmp_stays_in_view(backend: BubblewrapBackend, stage: Stage) -> None:
    tool = stage.folder / "tool"  # the stage lies below /tmp, which is a tmpfs inside
    tool.mkdir()
    (tool / "file").write_text("seen")
    bind = Bind(source=tool, target=str(tool))
    end, said = _run(backend, stage.command("/bin/cat", f"{tool}/file", binds=(bind,)))
    assert (end.exit_code, said) == (0, "seen")


def test_nothing_of_the_host_is_in_view_but_what_was_given(
    backend: BubblewrapBackend, stage: Stage
) -> None:
    _, said = _run(backend, stage.shell("ls /; ls /etc; ls /home /root /var /run 2>/dev/null"))
    names = set(said.split())
    assert not names & {"var", "root", "srv", "opt", "boot", "shadow", "hostname", "ssh"}


def test_an_unwritable_place_that_can_be_written_stops_the_job_before_it_starts(
    backend: BubblewrapBackend, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.adapters.sandbox import bubblewrap_view

    real = bubblewrap_view.view

    def careless(command: ConfinedCommand, **rest: object) -> bubblewrap_view.View:
        seen = real(command, **rest)  # type: ignore[arg-type]
        return bubblewrap_view.View(
            seen.arguments, (*seen.read_only, bubblewrap_view.ARTIFACTS), seen.data
        )

    monkeypatch.setattr(bubblewrap_view, "view", careless)
    with pytest.raises(IntegrityError, match="SANDBOX_FAILED"):
        backend.start(stage.shell("echo unreached"))


def test_another_tree_than_the_one_meant_stops_the_job_before_it_starts(
    backend: BubblewrapBackend, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.adapters.sandbox import bubblewrap_view

    real = bubblewrap_view.view
    shutil.copytree(stage.folder / "entry", stage.folder / "other")
    other = stage.folder / "other"
    monkeypatch.setattr(
        bubblewrap_view,
        "view",
        lambda command, **rest: real(command.model_copy(update={"checkout": other}), **rest),
    )
    with pytest.raises(IntegrityError, match="isn't"):
        backend.start(stage.shell("echo unreached"))


def test_a_missing_program_is_unavailable_with_its_name(stage: Stage) -> None:
    gone = bubblewrap(binary=Path("/nowhere/bwrap"))
    with pytest.raises(UnavailableError, match="/nowhere/bwrap"):
        gone.start(stage.shell("true"))


def test_a_setuid_bubblewrap_is_refused(stage: Stage, state_dir: Path) -> None:
    copy = state_dir / "bwrap"
    shutil.copy(BWRAP, copy)
    copy.chmod(0o4755)
    setuid = bubblewrap(binary=copy)
    with pytest.raises(UnavailableError, match="setuid"):
        setuid.start(stage.shell("true"))


def test_a_program_that_cannot_make_namespaces_is_unavailable_with_its_own_words(
    stage: Stage, state_dir: Path
) -> None:
    fake = state_dir / "bwrap"
    fake.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    broken = bubblewrap(binary=fake)
    with pytest.raises(UnavailableError, match="No permissions to create new namespace"):
        broken.start(stage.shell("true"))


@pytest.mark.needs_root
def test_as_root_a_job_has_another_uid_and_no_capability(
    backend: BubblewrapBackend, stage: Stage
) -> None:
    _, said = _run(backend, stage.shell("id -u; grep CapEff /proc/self/status"))
    assert said.split() == ["64999", "CapEff:", "0000000000000000"]


@pytest.mark.needs_root
def test_as_root_proc_sys_cannot_be_opened_for_writing(
    backend: BubblewrapBackend, stage: Stage
) -> None:
    _, said = _run(backend, stage.shell("echo x 2>&1 > /proc/sys/kernel/core_pattern || echo no"))
    assert said.endswith("no\n")


@pytest.mark.needs_root
def test_as_root_a_checkout_below_a_private_folder_is_still_reached(
    backend: BubblewrapBackend, stage: Stage
) -> None:
    os.chmod(stage.folder, 0o700)
    end, said = _run(backend, stage.shell("cat file; id -u"))
    assert (end.exit_code, said) == (0, "content64999\n")
    assert "aiops-stage" not in Path("/proc/self/mountinfo").read_text()


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Fails the test if it leaves descriptors open."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.usefixtures("descriptors")
def test_no_descriptor_is_left_open(backend: BubblewrapBackend, stage: Stage) -> None:
    for _ in range(3):
        _run(backend, stage.shell("true"))
    with pytest.raises(UnavailableError):
        bubblewrap(binary=Path("/bin/false")).start(stage.shell("true"))


def test_a_job_inherits_no_descriptor(backend: BubblewrapBackend, stage: Stage) -> None:
    _, said = _run(backend, stage.command("/bin/ls", "/proc/self/fd"))
    assert said.split() == ["0", "1", "2", "3"]  # 3 is the listing's own


def test_leaving_without_go_runs_nothing(backend: BubblewrapBackend, stage: Stage) -> None:
    with backend.start(stage.shell("echo ran > $ARTIFACT_DIR/ran; sleep 60")) as contained:
        assert os.listdir(contained.outputs_fd) == ["params.json"]


def test_reap_returns_only_when_the_pid_namespace_is_empty(
    backend: BubblewrapBackend, stage: Stage
) -> None:
    """bwrap itself ends before the first process of the namespace is gone."""
    crowd = "for n in $(seq 40); do sleep 60 & done; exit 5"
    with backend.start(stage.shell(crowd)) as contained:
        contained.go()
        death = contained.reap(20)
        gone, _, _ = select.select([contained.exit_fd], [], [], 0)
    assert (death.exit_code, death.proven) == (5, True)
    assert gone
