"""The ``runner`` program: which verbs there are, and how errors end."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import typer

from runner import __version__
from runner.errors import RunnerError
from runner.model.shown import shown

_EPILOG = (
    "Exit codes: 0 success · 1 the job failed or timed out · 2 usage or configuration · "
    "3 infrastructure · 4 cancelled or rejected · 5 an invariant was violated or a claim was "
    "false · 6 the size cap was exceeded (--bundle-only) · 10 warnings (--strict) · 75 try again later · 124 deadline passed · 130 interrupted · 141 closed pipe"
)

_LINES = "\n\t"
# typer brings its own click, or uses the installed one, depending on its version
_USAGE_ERROR: Any = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def application() -> typer.Typer:
    """The program with all its verbs."""
    from runner.cli import inspecting, keeping, reviewing, running, verifying

    app = typer.Typer(
        name="runner",
        help="Runs CI and analysis jobs against git repositories that they cannot change, "
        "and proves it in a signed record.",
        epilog=_EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback()
    def top(
        version: bool = typer.Option(
            False,
            "--version",
            help="Print the version and stop.",
            is_eager=True,  # before a missing command is found fault with
            callback=_print_version,
        ),
    ) -> None: ...

    for family in (running, inspecting, verifying, reviewing, keeping):
        family.register(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ai-ops-runner {__version__}")
        raise typer.Exit


def build(argv: Sequence[str]) -> int:
    """Runs ``argv``; the exit code. Errors become one line and, where one is known, a remedy."""
    return guarded(lambda: _run(argv))


def _run(argv: Sequence[str]) -> int:
    try:
        result = application()(args=list(argv), prog_name="runner", standalone_mode=False)
    except SystemExit as leave:
        # click's own answer to a reader that went away is 1, which here means a failed job
        if isinstance(leave.__context__, BrokenPipeError):
            raise leave.__context__ from None
        raise
    return result if isinstance(result, int) else 0


def guarded(command: Callable[[], int]) -> int:
    """The exit code of ``command``; every error ends here, and nowhere else."""
    try:
        code = command()
        sys.stdout.flush()  # here, where a reader that went away is understood, and not at exit
        return code
    except RunnerError as error:
        print(f"runner: {shown(str(error), keep=_LINES)}", file=sys.stderr)
        if error.remedy:
            print(f"  → {shown(error.remedy, keep=_LINES)}", file=sys.stderr)
        return error.exit_code
    except _USAGE_ERROR as error:
        error.show(sys.stderr)
        return 2
    except typer.Exit as leave:
        return leave.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("runner: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _write_no_more()  # nobody reads on: not our failure
        return 141
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}:{where.lineno}"
        words = shown(f"{type(error).__name__}: {error}", keep=_LINES)
        print(f"runner: BUG at {place}: {words}", file=sys.stderr)
        print(
            "  → please report it, with the output of `python -X dev -m runner …`", file=sys.stderr
        )
        if sys.flags.dev_mode:
            traceback.print_exception(error)
        if isinstance(error, OSError):
            _write_no_more()
        return 3


def _write_no_more() -> None:
    """Keeps the interpreter from trying to write, at its end, what couldn't be written before."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
