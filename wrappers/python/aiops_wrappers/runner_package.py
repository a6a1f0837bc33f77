"""Makes the runner's own package importable, and nothing that lies beside it."""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from aiops_wrappers.contract import ContractError


def make_importable(home: str) -> None:
    """Lets ``import runner`` find the package in the folder ``home``.

    That folder isn't put on the path: it may be one of installed packages, and what wrappers
    import is this package and the standard library.

    Raises:
        ContractError: it isn't there, or can't be read.
    """
    folder = Path(home) / "runner"
    spec = spec_from_file_location(
        "runner", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert isinstance(spec, ModuleSpec)
    assert spec.loader is not None
    package = module_from_spec(spec)
    try:
        spec.loader.exec_module(package)
    except OSError as error:
        raise ContractError(
            f"AIOPS_RUNNER is {home!r}, expected the folder that holds the runner package:"
            f" {error.strerror}"
        ) from error
    sys.modules["runner"] = package
