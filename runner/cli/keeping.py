"""``runner config``, ``doctor`` and ``gc``: the state of this installation."""

import json as json_text
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from runner.cli.running import JsonOption

_PUBLISHED = ("artifact", "artifact.dsse", "review_packets_manifest")


def register(app: typer.Typer) -> None:
    """Adds this family's verbs."""
    app.command()(config)
    app.command()(doctor)
    app.command()(gc)


def config(
    schema: Annotated[
        str | None,
        typer.Option("--schema", help="Print a published JSON Schema: job_allowlist, …"),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Show every setting's effective value and where it came from."""
    if schema is not None:
        return _print_schema(schema)
    from runner.settings import origins_from_environment

    rows = origins_from_environment()
    if json:
        shown = {row.name: {"value": row.value, "source": row.source} for row in rows}
        print(json_text.dumps(shown, indent=2))
        return 0
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(f"{row.name:<{width}}  {row.value or '-'}  ({row.source})")
    return 0


def _print_schema(name: str) -> int:
    from runner.adapters.allowlists.schemas import allowlist_schemas
    from runner.adapters.record_files import published_schema
    from runner.errors import ConfigurationError

    asked, schemas = name, allowlist_schemas()
    if name in _PUBLISHED:
        sys.stdout.write(published_schema(name).decode())
        return 0
    name = name if name in schemas else f"{name}.schema.json"
    if name not in schemas:
        known = ", ".join(
            [
                *(key.removesuffix(".schema.json") for key in sorted(schemas)),
                *_PUBLISHED,
            ]
        )
        raise ConfigurationError("USAGE", f"got --schema {asked!r}, expected one of {known}")
    print(json_text.dumps(schemas[name], indent=2))
    return 0


def doctor(json: JsonOption = False) -> int:
    """Look whether a job could run now: configuration, git, Redis, key, sandbox, disk.

    The sandbox is attacked from inside, not asked for its version. Exits with 3 if something
    that jobs need is broken.
    """
    from runner.bootstrap import runner_from_environment
    from runner.bootstrap.upkeep import patient
    from runner.flows.doctor import Health, examine

    runner = runner_from_environment()
    findings = []
    try:
        for finding in examine(patient(runner)):
            findings.append(finding)
            if not json:
                fix = f"\n        → {finding.fix}" if finding.fix else ""
                print(f"{finding.health.value:<6}  {finding.name}: {finding.what}{fix}")
    finally:
        runner.close()
    if json:
        print(json_text.dumps([asdict(finding) for finding in findings], indent=2))
    return 3 if any(finding.health is Health.BROKEN for finding in findings) else 0


def gc(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    json: JsonOption = False,
) -> int:
    """Remove old records, caches over their age or size, and what killed processes left."""
    from runner.bootstrap import runner_from_environment
    from runner.bootstrap.upkeep import keeping
    from runner.cli.rendering import size
    from runner.flows.collect_garbage import collect_garbage

    runner = runner_from_environment()
    try:
        recovered = () if dry_run else runner.recover()
        removals = collect_garbage(keeping(runner), now=datetime.now(UTC), dry_run=dry_run)
    finally:
        runner.close()
    if json:
        shown = {"recovered": recovered, "removed": [asdict(removal) for removal in removals]}
        print(json_text.dumps(shown, indent=2))
        return 0
    for job_id in recovered:
        print(f"recovered  job {job_id}: its worker was lost; it has its record now")
    for removal in removals:
        verb = "removed" if removal.done else ("would remove" if dry_run else "in use, kept")
        print(f"{verb}  {removal.kind} {removal.name}  {size(removal.size_bytes)}")
    freed = sum(removal.size_bytes for removal in removals if removal.done or dry_run)
    print(f"{'would free' if dry_run else 'freed'} {size(freed)}")
    return 0
