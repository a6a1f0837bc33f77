"""The rules of the code that neither the linter nor the import contract can see."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "runner"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SHELL = sorted([*ROOT.glob("ops/**/*.sh"), *ROOT.glob("wrappers/**/*.sh")])

READS_THE_ENVIRONMENT = {
    "settings.py",  # the only reader
}
RUNS_INSIDE_THE_SANDBOX = {
    "adapters/sandbox/probe_job.py",  # the hostile micro-job
    "adapters/sandbox/supervisor.py",  # starts a Landlock job and ends what is left of it
}
STARTS_PROCESSES = {
    "adapters/git/process.py",
    "adapters/git/objects.py",  # a persistent `cat-file --batch`
    "adapters/processes.py",
    "adapters/redis_server/binaries.py",  # asks a server program for its version
    "adapters/redis_server/launch.py",
    "adapters/sandbox/bubblewrap.py",
    "adapters/sandbox/bubblewrap_contained.py",
    "adapters/sandbox/landlock.py",
    "adapters/sandbox/landlock_contained.py",
    "adapters/sandbox/probe.py",  # the process outside that the hostile micro-job attacks
    "adapters/sandbox/unconfined.py",
}
CATCHES_EVERYTHING = {
    "cli/app.py",  # edge: argv
    "worker.py",  # edge: RQ; one job's bug must not end the worker
    "flows/execute.py",  # a bug in our own code still ends in a sealed record
}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
PURE = ("policy", "model", "errors.py")

_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
_PROCESS_STARTS = re.compile(r"(?:fork|forkpty|exec\w+|spawn\w+|posix_spawn\w*|system|popen)\Z")
_CLOCKS = {"now", "utcnow", "today"}


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def _attributes(path: Path, module: str) -> set[str]:
    """Names used as ``module.NAME`` or imported from it."""
    used = {
        node.attr
        for node in _nodes(path)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == module
    }
    prefix = f"{module}."
    return used | {name.removeprefix(prefix) for name in _imports(path) if name.startswith(prefix)}


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if not any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException"))
        for kind in kinds
    ):
        return False
    # cleaning up and raising on swallows nothing
    last = handler.body[-1]
    return not (isinstance(last, ast.Raise) and last.exc is None)


def test_only_settings_reads_the_environment() -> None:
    readers = {_name(path) for path in SOURCES if _attributes(path, "os") & _ENVIRONMENT}
    assert readers <= READS_THE_ENVIRONMENT | RUNS_INSIDE_THE_SANDBOX


def test_processes_start_in_the_listed_adapters_only() -> None:
    starters = {
        _name(path)
        for path in SOURCES
        if "subprocess" in _imports(path)
        or "multiprocessing" in _imports(path)
        or any(_PROCESS_STARTS.match(name) for name in _attributes(path, "os"))
    }
    assert starters <= STARTS_PROCESSES | RUNS_INSIDE_THE_SANDBOX


def test_no_process_goes_through_a_shell() -> None:
    through_a_shell = {
        _name(path)
        for path in SOURCES
        for node in _nodes(path)
        if isinstance(node, ast.keyword)
        and node.arg == "shell"
        and not (isinstance(node.value, ast.Constant) and node.value.value is False)
    }
    assert not through_a_shell


def test_everything_is_caught_at_the_edges_only() -> None:
    catchers = {
        _name(path)
        for path in SOURCES
        for node in _nodes(path)
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
    }
    assert catchers <= CATCHES_EVERYTHING | RUNS_INSIDE_THE_SANDBOX


def test_decisions_and_nouns_read_no_clock_and_open_no_file() -> None:
    impure = set()
    for path in SOURCES:
        if not _name(path).startswith(PURE):
            continue
        for node in _nodes(path):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if isinstance(called, ast.Name) and called.id in ("open", "print", "input"):
                impure.add(f"{_name(path)}:{node.lineno} {called.id}")
            if isinstance(called, ast.Attribute) and called.attr in {
                *_CLOCKS,
                *("open", "read_text", "read_bytes", "write_text", "write_bytes"),
                *("exists", "is_file", "is_dir", "stat", "lstat", "resolve", "iterdir"),
            }:
                impure.add(f"{_name(path)}:{node.lineno} {called.attr}")
    assert not impure


def test_nothing_unpickles() -> None:
    """A job message or a cached file that is unpickled is code that somebody else wrote."""
    unpicklers = {
        _name(path)
        for path in SOURCES
        if _imports(path) & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
    }
    assert not unpicklers


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_module_is_small_enough_to_be_read_at_once(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_module_is_named_for_what_it_holds(path: Path) -> None:
    assert not SAYS_NOTHING & set(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("path", SHELL, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_shell_script_is_a_door(path: Path) -> None:
    """A header, ``set -euo pipefail``, and less than 40 lines: nothing is decided in shell."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 40
    assert lines[0].startswith("#!")
    assert lines[1].startswith("# ")
    assert any(re.match(r"set -eu(o pipefail)?\b", line) for line in lines)


def test_the_lock_names_no_address_and_hashes_everything() -> None:
    """An index named in the lock would decide for everybody where packages come from."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(
        r"://|--index|--find-links|--extra|--trusted-host|^-e |^\.", lock, re.MULTILINE
    )
    pins = re.findall(r"^[a-z0-9][\w.-]*(?:\[[\w,]+\])?==", lock, re.MULTILINE)
    entries = re.findall(r"^[a-z0-9].*\\\n    --hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE)
    assert pins
    assert len(pins) == len(entries)


def test_the_lock_holds_every_dependency() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {
        name.lower().replace("_", "-")
        for name in re.findall(r"^([\w.-]+)(?===)", lock, re.MULTILINE)
    }
    named = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    wanted = {re.match(r"[\w.-]+", name).group().lower() for name in named}  # type: ignore[union-attr]
    assert wanted <= locked
