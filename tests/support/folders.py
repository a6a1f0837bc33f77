"""Temporary folders whose content a test has sealed."""

from pathlib import Path

from runner.adapters.scratch import remove


def remove_sealed(folder: Path) -> None:
    """Removes ``folder`` with everything in it, read-only folders and deep ones too."""
    remove(folder)
