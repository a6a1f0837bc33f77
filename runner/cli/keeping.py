"""``runner config``, ``doctor`` and ``gc``: the state of this installation."""

from typing import Annotated

import typer

from runner.cli.running import JsonOption


def register(app: typer.Typer) -> None:
    """Adds this family's verbs."""
    app.command()(config)


def config(json: JsonOption = False) -> int:
    """Show every setting's effective value and where it came from."""
    from runner.settings import origins_from_environment

    rows = origins_from_environment()
    if json:
        import json as encoder

        shown = {row.name: {"value": row.value, "source": row.source} for row in rows}
        print(encoder.dumps(shown, indent=2))
        return 0
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(f"{row.name:<{width}}  {row.value}  ({row.source})")
    return 0


__all__ = ["Annotated", "register"]
