"""What may run, and where: the two allowlists as values."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from runner.model.base import Noun
from runner.model.ids import Name, Sha256

MiB = 1024 * 1024

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z", re.ASCII)
_STEERS_LOADER_OR_SHELL = re.compile(
    r"(?:LD_.*|GIT_.*|AIOPS_.*|BASH.*|SHELLOPTS|PYTHON.*|PERL5?.*|RUBY.*|NODE_OPTIONS|GCONV_PATH"
    r"|ENV|IFS|PS4|PATH|HOME|TMPDIR|CI|ARTIFACT_DIR|FORCE_SIZE_CAP)\Z"
)


def check_env_name(name: str) -> str:
    """Returns ``name`` if a job may be given a variable of that name.

    Names that steer the dynamic loader, a shell, an interpreter or git are refused, since they
    would run or change code before the job's own argv (ld.so(8), bash(1) *Shell Variables*), and
    so are those that the runner sets itself.

    Raises:
        ValueError: not a variable name, or one of those.
    """
    if not _ENV_NAME.match(name):
        raise ValueError(f"got {name!r}, expected a name of letters, digits and underscores")
    if _STEERS_LOADER_OR_SHELL.match(name.upper()):
        raise ValueError(f"{name!r} would steer the loader, a shell, git or the runner itself")
    return name


class ShaParam(Noun):
    """A full commit id."""

    type: Literal["sha"]
    required: bool = False
    description: str = ""


class DateParam(Noun):
    """A calendar day, ``YYYY-MM-DD`` (RFC 3339 ``full-date``)."""

    type: Literal["date"]
    required: bool = False
    description: str = ""


class EnumParam(Noun):
    """One of a fixed list of values."""

    type: Literal["enum"]
    values: tuple[str, ...] = Field(min_length=1)
    required: bool = False
    description: str = ""


class IntParam(Noun):
    """A decimal integer within bounds, both included."""

    type: Literal["int"]
    min: int
    max: int
    required: bool = False
    description: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> "IntParam":
        if self.min > self.max:
            raise ValueError(f"min is {self.min}, which is over max, {self.max}")
        return self


class PatternParam(Noun):
    """Text that a regular expression matches in full, at most ``max_length`` characters."""

    type: Literal["pattern"]
    pattern: str
    max_length: int = Field(default=128, ge=1, le=4096)
    required: bool = False
    description: str = ""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value


ParamSpec = Annotated[
    ShaParam | DateParam | EnumParam | IntParam | PatternParam, Field(discriminator="type")
]


class Limits(Noun):
    """What one job may use. Bytes are bytes, times are seconds."""

    memory_bytes: int = Field(default=4096 * MiB, ge=16 * MiB)
    processes: int = Field(default=512, ge=4, le=65536)
    cpu_s: int = Field(default=3600, ge=1)
    open_files: int = Field(default=1024, ge=32, le=1048576)
    log_bytes: int = Field(default=8 * MiB, ge=4096, description="kept per stream, head and tail")
    output_bytes: int = Field(default=256 * MiB, ge=4096)
    output_files: int = Field(default=10_000, ge=1, le=1_000_000)
    tmp_bytes: int = Field(default=1024 * MiB, ge=MiB)


class JobType(Noun):
    """An entry of the job allowlist: everything about a run that no caller decides."""

    name: Name
    description: str = ""
    argv: tuple[str, ...] = Field(min_length=1)
    timeout_s: int = Field(ge=1, le=86_400)
    allowed_params: dict[str, ParamSpec] = {}
    requires_repo_allowlist: bool = True
    requires_approval: bool = False
    network: Literal["none"] = "none"
    env: dict[str, str] = {}
    limits: Limits = Limits()
    retries: int = Field(default=0, ge=0, le=10)
    toolchains: tuple[str, ...] = ()
    needs_python: bool = False
    needs_metadata_writes: bool = False

    @field_validator("argv")
    @classmethod
    def _runnable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for element in value:
            if "\0" in element:
                raise ValueError("an element holds a NUL byte")
        if not (value[0].startswith("wrappers/") or value[0].startswith("/")):
            raise ValueError(f"got {value[0]!r} first, expected 'wrappers/…' or an absolute path")
        for element in value:
            if element.startswith("wrappers/") and ".." in element.split("/"):
                raise ValueError(f"{element!r} leaves the wrappers folder")
        return value

    @field_validator("env", "allowed_params")
    @classmethod
    def _variable_names(cls, value: dict[str, object]) -> dict[str, object]:
        for name in value:
            check_env_name(name)
        return value

    @field_validator("toolchains")
    @classmethod
    def _absolute(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for folder in value:
            if not folder.startswith("/") or ".." in folder.split("/") or folder == "/":
                raise ValueError(f"got {folder!r}, expected an absolute folder below /")
        return value


class Repo(Noun):
    """An entry of the repository allowlist."""

    name: Name
    url: str
    allowed_branches: tuple[str, ...] = Field(min_length=1)
    default_branch: str
    jobs: tuple[Name, ...] | None = None


class Catalog(Noun):
    """Both allowlists, and what pins them.

    Attributes:
        allowlist_hash: sha256 over the exact bytes of both files.
        wrappers: sha256 of each file below the wrappers folder, by relative path.
        wrappers_hash: sha256 over that whole list: any file changed, added or gone shows.
    """

    job_types: dict[str, JobType]
    repos: dict[str, Repo]
    allowlist_hash: Sha256
    wrappers: dict[str, Sha256] = {}
    wrappers_hash: Sha256
