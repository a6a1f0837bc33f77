"""``runner run`` and ``runner plan``: a job from here to its end, or only what it would be."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from runner.bootstrap import Runner
    from runner.bootstrap.connection import Live
    from runner.model.artifact import Artifact
    from runner.model.job import JobPlan
    from runner.model.sandbox import Stop

JobTypeArgument = Annotated[str, typer.Argument(help="A job type of the job allowlist.")]
RepoOption = Annotated[
    str, typer.Option("--repo", help="A name of the repository allowlist, or a path.")
]
ShaOption = Annotated[str, typer.Option("--sha", help="A commit, branch or tag; it is resolved.")]
ParamOption = Annotated[
    list[str], typer.Option("--param", metavar="KEY=VALUE", help="A parameter of the job type.")
]
TimeoutOption = Annotated[
    int | None, typer.Option("--timeout-s", min=1, help="Shorter than the job type's own limit.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, and only that.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit with 10 on any warning.")]


def register(app: typer.Typer) -> None:
    """Adds this family's verbs."""
    app.command()(run)
    app.command()(plan)


def run(
    job_type: JobTypeArgument,
    repo: RepoOption,
    sha: ShaOption = "HEAD",
    param: ParamOption = [],  # noqa: B006  (typer wants the value itself)
    timeout_s: TimeoutOption = None,
    json: JsonOption = False,
    strict: StrictOption = False,
) -> int:
    """Run a job confined, from here to its sealed record.

    Submits to a private queue and works on it in this same process, by the way that the service
    uses. Ctrl-C cancels the job and leaves nothing behind.
    """
    from runner.bootstrap import runner_from_environment
    from runner.bootstrap.connection import live
    from runner.policy import exit_codes

    runner = runner_from_environment()
    try:
        runner.recover()
        plan = _plan(runner, job_type, repo, sha, param, timeout_s, quiet=json)
        with (
            live(runner) as connected,
            runner.private_runs.promise(plan.job_id),
            _interrupts() as interrupts,
        ):
            artifact = _run_here(connected, plan, interrupts, quiet=json)
    finally:
        runner.close()
    _show(runner, artifact, as_json=json)
    if interrupts.count:
        return exit_codes.INTERRUPTED
    revoked = runner.folders.open(artifact.job_id).is_revoked()
    return exit_codes.VIOLATED if revoked else exit_codes.of_record(artifact, strict=strict)


def plan(
    job_type: JobTypeArgument,
    repo: RepoOption,
    sha: ShaOption = "HEAD",
    param: ParamOption = [],  # noqa: B006  (likewise)
    timeout_s: TimeoutOption = None,
    json: JsonOption = False,
) -> int:
    """Show what would run, and how confined, without running it.

    With --json it is the plan alone, as it would be stored.
    """
    from runner.bootstrap import runner_from_environment
    from runner.cli.rendering import confinement_text, plan_text
    from runner.errors import UnavailableError

    runner = runner_from_environment()
    try:
        made = _plan(runner, job_type, repo, sha, param, timeout_s, quiet=True)
        if json:
            print(made.model_dump_json(indent=2))
            return 0
        print(plan_text(made))
        try:
            print(confinement_text(runner.chamber().confinement))
        except UnavailableError as error:
            print(f"sandbox     none: it would not run. {error}")
    finally:
        runner.close()
    return 0


def _plan(
    runner: "Runner",
    job_type: str,
    repo: str,
    revision: str,
    params: list[str],
    timeout_s: int | None,
    *,
    quiet: bool,
) -> "JobPlan":
    from runner.cli.requests import request_for
    from runner.flows.submit import plan_for
    from runner.model.shown import shown

    asked = request_for(runner, job_type, repo, revision, params, timeout_s=timeout_s)
    if not quiet:
        print(shown(asked.shown), file=sys.stderr)
    return plan_for(
        asked.request,
        runner.catalog,
        now=datetime.now(UTC),
        randomness=os.urandom(16),
        local_path=asked.local_path,
    )


class _Interrupts:
    """Counts SIGINT and SIGTERM instead of dying of them: the job is ended first."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count == 1:
            print("runner: cancelling the job …", file=sys.stderr)

    def should_stop(self) -> "Stop | None":
        from runner.model.sandbox import Stop

        return Stop.CANCELLED if self.count else None


@contextmanager
def _interrupts() -> Iterator[_Interrupts]:
    interrupts = _Interrupts()
    before = {number: signal.signal(number, interrupts.note) for number in _SIGNALS}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _run_here(
    connected: "Live", plan: "JobPlan", interrupts: _Interrupts, *, quiet: bool
) -> "Artifact":
    """Submits ``plan`` and works on it in this thread, with its log on the terminal meanwhile."""
    from runner.errors import RunnerError
    from runner.flows.execute import execute
    from runner.flows.submit import submit
    from runner.worker import serve

    runner, queue = connected.runner, f"run-{plan.job_id}"
    equipment = runner.equipment(connected.store)
    submit(plan, folders=runner.folders, store=connected.store, queue=connected.queue(queue))
    folder = runner.folders.open(plan.job_id)
    if not quiet:
        print(f"job {plan.job_id}", file=sys.stderr)
    done = threading.Event()
    follower = threading.Thread(target=_follow, args=(folder.path, done, quiet), daemon=True)
    follower.start()
    failures: list[RunnerError] = []

    def handle(job_id: str) -> None:
        try:
            execute(job_id, equipment, worker=queue, interrupted=interrupts.should_stop)
        except RunnerError as error:
            failures.append(error)

    try:
        serve(connected.client, queue, handle, stop_requested=lambda: bool(failures), max_jobs=1)
    finally:
        done.set()
        follower.join()
    for failure in failures:
        raise failure
    return folder.sealed()


def _follow(folder: Path, done: threading.Event, quiet: bool) -> None:
    """Copies the job's standard output to ours as it comes, made harmless for a terminal."""
    from runner.adapters.log_files import LogGap, follow_log, for_terminal

    if quiet:
        return
    with suppress(BrokenPipeError):  # nobody reads on; the job goes on all the same
        for event in follow_log(folder / "stdout.log", done.is_set):
            if isinstance(event, LogGap):
                print(f"[… {event.bytes} bytes left out …]")
            else:
                sys.stdout.write(for_terminal(event.data))
            sys.stdout.flush()


def _show(runner: "Runner", artifact: "Artifact", *, as_json: bool) -> None:
    from runner.cli.rendering import record_table

    if as_json:
        print(artifact.model_dump_json(indent=2))
    else:
        print(record_table(artifact, runner.folders.open(artifact.job_id).path))
