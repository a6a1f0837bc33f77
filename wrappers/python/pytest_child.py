"""Starts pytest on the checkout in the working directory; arguments are pytest's own.

Run as ``python -I -B pytest_child.py …``: what pytest itself needs is imported before anything of
the checkout can be found, so that a ``json.py`` or ``pytest.py`` of the checkout doesn't take its
place. After that the checkout's code is what is meant to run.
"""

import os
import sys


def import_path(path: list[str], checkout: str) -> list[str]:
    """``path`` with the checkout, and its ``src`` folder if it has one, where they belong.

    Behind the standard library, and before installed packages: an installed release of the
    package under test would else be tested in its place.
    """
    source = os.path.join(checkout, "src")
    places = [source, checkout] if os.path.isdir(source) else [checkout]
    installed = ("/site-packages", "/dist-packages")
    at = next((i for i, entry in enumerate(path) if entry.endswith(installed)), len(path))
    return [*path[:at], *places, *path[at:]]


def main(arguments: list[str]) -> int:
    """pytest's exit code; 3 where this interpreter has no pytest."""
    try:
        import pytest
    except ImportError as error:
        print(f"PYTEST_NOT_FOUND: {sys.executable} can't import pytest: {error}", flush=True)
        return 3
    sys.path[:] = import_path(sys.path, os.getcwd())
    sys.argv = ["pytest", *arguments]
    return int(pytest.main(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
