"""``runner verify``: whether a record is whole, consistent and signed, without any network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.running import JsonOption

if TYPE_CHECKING:
    from runner.adapters.git.mirrors import Mirror
    from runner.bootstrap import Runner
    from runner.model.verification import Verification


def register(app: typer.Typer) -> None:
    """Adds this family's verbs."""
    app.command()(verify)


def verify(
    what: Annotated[
        str, typer.Argument(metavar="ID|PATH|last", help="A job's id, its folder, or 'last'.")
    ],
    key: Annotated[
        list[Path], typer.Option("--key", help="Also trust this public key (PEM).")
    ] = [],  # noqa: B006  (typer wants the value itself)
    repo: Annotated[
        Path | None,
        typer.Option("--repo", help="Prove its review packets against this repository, too."),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Check a record, its outputs and its signature offline, and say what was checked.

    Exits with 0 if everything holds and a trusted key signed it, 3 if it is whole but no trusted
    key vouches for it, 5 if something doesn't hold.
    """
    from runner.adapters.signing import trusted_keys
    from runner.bootstrap import runner_from_environment
    from runner.cli.inspecting import folder_of
    from runner.flows.verify import verify as check

    runner = runner_from_environment()
    folder = Path(what) if "/" in what or Path(what).is_dir() else folder_of(runner, what).path
    if folder.name == "artifact.json":
        folder = folder.parent
    mirror = None if repo is None else _mirror(runner, repo)
    found = check(folder, trusted_keys(runner.paths.trust, key), mirror)
    print(found.model_dump_json(indent=2) if json else _text(found, folder))
    return found.overall.exit_code


def _mirror(runner: "Runner", repo: Path) -> "Mirror":
    from runner.adapters.git.workcopy import top_level

    return runner.mirrors.open(str(top_level(repo)), local=True)


def _text(found: "Verification", folder: Path) -> str:
    width = max((len(check.name) for check in found.checks), default=0)
    lines = [
        f"{check.state.value:<7}  {check.name:<{width}}  {check.what}" for check in found.checks
    ]
    signed = f"signed by {found.signed_by}" if found.signed_by else "no trusted key signed it"
    return "\n".join([str(folder), *lines, f"{found.overall.value}: {signed}"])
