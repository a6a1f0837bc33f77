"""Temporary folders whose content a test has sealed."""

import os
import shutil
from pathlib import Path


def remove_sealed(folder: Path) -> None:
    """Removes ``folder`` with everything in it, read-only folders too."""
    # top down: a folder is opened before what is below it is listed
    for above, names, _ in os.walk(folder):
        os.chmod(above, 0o700)
        for name in names:
            inside = Path(above, name)
            if not inside.is_symlink():
                inside.chmod(0o700)
    shutil.rmtree(folder)
