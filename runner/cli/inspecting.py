"""``runner list``, ``show``, ``logs`` and ``artifacts``: what became of jobs.

Everything is read from the job folders, so that it works without Redis and after a loss of it.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.running import JsonOption

if TYPE_CHECKING:
    from runner.adapters.job_folders import JobFolder
    from runner.bootstrap import Runner
    from runner.model.artifact import LogRecord
    from runner.model.job import Status

JobArgument = Annotated[str, typer.Argument(metavar="ID|last", help="A job's id, or 'last'.")]


def register(app: typer.Typer) -> None:
    """Adds this family's verbs."""
    app.command("list")(list_jobs)
    app.command()(show)
    app.command()(logs)
    app.command()(artifacts)


def folder_of(runner: "Runner", job_id: str) -> "JobFolder":
    """The folder of the job called ``job_id``, or of the latest one for ``last``.

    Raises:
        NotFoundError: ``JOB_UNKNOWN``.
    """
    from runner.errors import NotFoundError

    if job_id != "last":
        return runner.folders.open(job_id)
    ids = runner.folders.ids()
    if not ids:
        raise NotFoundError("JOB_UNKNOWN", "there are no jobs yet", remedy="runner run --help")
    return runner.folders.open(ids[0])


def list_jobs(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 20,
    status: Annotated[str | None, typer.Option("--status", help="Only these.")] = None,
    job_type: Annotated[str | None, typer.Option("--type", help="Only this job type.")] = None,
    json: JsonOption = False,
) -> int:
    """List jobs, the latest first."""
    from runner.bootstrap import runner_from_environment
    from runner.cli.rendering import job_list
    from runner.flows.history import history
    from runner.model.job import Status

    runner = runner_from_environment()
    wanted = None if status is None else _status(status, tuple(Status))
    jobs = history(runner.folders, limit=limit, status=wanted, job_type=job_type)
    if json:
        print("[" + ",\n ".join(job.model_dump_json() for job in jobs) + "]")
    else:
        print(job_list(jobs))
    return 0


def _status(text: str, known: "tuple[Status, ...]") -> "Status":
    from runner.errors import ConfigurationError

    for one in known:
        if one.value == text:
            return one
    names = ", ".join(one.value for one in known)
    raise ConfigurationError("USAGE", f"got --status {text!r}, expected one of {names}")


def show(job_id: JobArgument, json: JsonOption = False) -> int:
    """Show the record of a job, or where it stands."""
    from runner.bootstrap import runner_from_environment
    from runner.cli.rendering import job_list, record_table
    from runner.flows.history import standing

    runner = runner_from_environment()
    folder = folder_of(runner, job_id)
    artifact = folder.artifact()
    if artifact is None:
        job = standing(folder)
        print(job.model_dump_json(indent=2) if json else job_list((job,)))
    else:
        print(artifact.model_dump_json(indent=2) if json else record_table(artifact, folder.path))
    return 0


def logs(
    job_id: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the job ends.")] = False,
    stream: Annotated[str, typer.Option("--stream", help="stdout or stderr.")] = "stdout",
    tail: Annotated[int | None, typer.Option("--tail", min=1, help="Only the last lines.")] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="The bytes as they are; never to a terminal.")
    ] = False,
) -> int:
    """Print a job's log; what could steer a terminal is shown, not obeyed."""
    from runner.adapters.log_files import LogGap, follow_log, for_terminal, tail_lines
    from runner.bootstrap import runner_from_environment
    from runner.errors import ConfigurationError, NotFoundError

    if stream not in ("stdout", "stderr"):
        raise ConfigurationError("USAGE", f"got --stream {stream!r}, expected stdout or stderr")
    folder = folder_of(runner_from_environment(), job_id)
    path = folder.path / f"{stream}.log"

    def put(data: bytes) -> None:
        if raw and not sys.stdout.isatty():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            sys.stdout.write(for_terminal(data))
            sys.stdout.flush()

    def record() -> "LogRecord | None":
        artifact = folder.artifact()
        if artifact is None:
            return None
        return artifact.logs.stdout if stream == "stdout" else artifact.logs.stderr

    if not path.exists() and not follow:
        raise NotFoundError("LOG_NOT_FOUND", f"job {folder.job_id} has no {stream} yet")
    if tail is not None:
        put(tail_lines(path, tail, record=record()))
        return 0
    ended = (lambda: folder.artifact() is not None) if follow else (lambda: True)
    for event in follow_log(path, ended, record=record):
        if isinstance(event, LogGap):
            put(f"\n[… {event.bytes} bytes left out …]\n".encode())
        else:
            put(event.data)
    return 0


def artifacts(job_id: JobArgument, json: JsonOption = False) -> int:
    """List what a job left behind: where each output lies, its size and its sha256."""
    from runner.bootstrap import runner_from_environment
    from runner.cli.rendering import output_list
    from runner.errors import NotFoundError

    folder = folder_of(runner_from_environment(), job_id)
    artifact = folder.artifact()
    if artifact is None:
        raise NotFoundError("RECORD_NOT_FOUND", f"job {folder.job_id} hasn't ended yet")
    if json:
        print("[" + ",\n ".join(one.model_dump_json() for one in artifact.outputs) + "]")
    else:
        print(output_list(artifact, folder.path))
    return 0
