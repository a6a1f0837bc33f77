"""What the operator decided in variables: the only reader of the environment.

What ``configs/`` allows is read by ``flows.catalog``.

Imports pydantic-settings, which takes longer than everything else a command needs: import this
module where a setting is needed, not at the top of the command line.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

import runner
from runner.adapters.allowlists.sizes import size_bytes
from runner.errors import ConfigurationError
from runner.model.problem import shown
from runner.model.review import MAX_PACKET_BYTES, MIN_PACKET_BYTES, PACKET_BYTES, SIZE_CAP_BYTES
from runner.model.state import StatePaths
from runner.policy.remote_urls import without_credentials

PREFIX: Final = "AIOPS_"
INSTALLED_CONFIG: Final = Path("/etc/ai-ops-runner")
# What a job finds in its own environment: no setting, and no reason to refuse to start in there.
JOB_VARIABLES: Final = frozenset(
    PREFIX + name for name in ("JOB_ID", "JOB_TYPE", "REPO", "SHA", "PYTHON", "RUNNER", "WRAPPERS")
)
GiB: Final = 1024**3


def _absolute(value: object) -> object:
    if isinstance(value, str) and (not value.startswith("/") or "\0" in value):
        raise ValueError("expected an absolute path")
    return value


def _bytes(value: object) -> object:
    if not isinstance(value, str) or value.isdecimal():
        return value
    size = size_bytes(value)
    if size is None:
        raise ValueError("expected bytes, or a size such as '20GiB'")
    return size


Folder = Annotated[Path, BeforeValidator(_absolute)]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0)]


def _also(name: str) -> AliasChoices:
    """The prefixed name, and one that is understood without the prefix; the prefixed one wins."""
    return AliasChoices(PREFIX + name, name)


class Settings(BaseSettings):
    """Every setting. Each is described in docs/configuration.md."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True, env_ignore_empty=True
    )

    state_dir: Folder
    config_dir: Folder
    wrappers_dir: Folder
    artifacts_root: Folder | None = Field(None, validation_alias=_also("ARTIFACTS_ROOT"))
    repos_root: Folder | None = Field(None, validation_alias=_also("REPOS_ROOT"))
    work_root: Folder | None = Field(None, validation_alias=_also("WORK_ROOT"))
    runtime_root: Folder | None = None
    # May hold a password: not in any repr.
    redis_url: str | None = Field(None, validation_alias=_also("REDIS_URL"), repr=False)
    api_base: str | None = Field(None, validation_alias=_also("API_BASE"))
    sandbox_backends: Annotated[tuple[str, ...], NoDecode] = ("bubblewrap", "landlock")
    sandbox_min_level: int = Field(2, ge=0, le=3)
    # 0 would be root, 65534 is nobody's and everybody's, 2^32 - 1 means "unchanged" (setuid(2)).
    job_uid: int = Field(64999, ge=1, le=2**32 - 2)
    snapshot_limit: int = Field(5000, ge=0)
    git_timeout_s: int = Field(300, ge=1, le=86_400)
    term_grace_s: float = Field(5, ge=0, le=600, allow_inf_nan=False)
    checkouts_max_bytes: Bytes = 20 * GiB
    checkouts_max_age_days: int = Field(14, ge=0, le=36_500)
    artifacts_max_age_days: int = Field(90, ge=1, le=36_500)
    review_bundle_size_cap: Bytes = Field(
        SIZE_CAP_BYTES, validation_alias=_also("REVIEW_BUNDLE_SIZE_CAP")
    )
    review_packet_bytes: Bytes = Field(PACKET_BYTES, ge=MIN_PACKET_BYTES, le=MAX_PACKET_BYTES)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("sandbox_backends", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(name.strip() for name in value.split(","))
        unknown = [name for name in names if name not in ("bubblewrap", "landlock", "none")]
        if unknown or len(set(names)) < len(names):
            raise ValueError("expected names, each once, of: bubblewrap, landlock, none")
        return names

    @field_validator("redis_url")
    @classmethod
    def _reaches_redis(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("expected redis://, rediss:// or unix://")
        return value

    @field_validator("api_base")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("expected http:// or https://")
        return value.rstrip("/") if value else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load_settings`` hands over: no file of the working directory, ever."""
        return (init_settings,)


class _GivenEnvironment(EnvSettingsSource):
    """The environment that was handed over instead of the process's own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(Settings)
        # The library compares in lower case; a variable in lower case isn't one of ours.
        self.env_vars = {
            name.lower(): value for name, value in environ.items() if name.isupper() and value
        }


@dataclass(frozen=True, slots=True)
class Origin:
    """One setting: its effective value, safe to show, and where that came from."""

    name: str
    value: str
    source: str


def load_settings(environ: Mapping[str, str], *, uid: int) -> Settings:
    """The settings that ``environ`` gives a runner with that uid. Reads no other environment.

    Raises:
        ConfigurationError: ``SETTING_UNKNOWN`` or ``SETTING_INVALID``, naming the variable.
    """
    _refuse_unknown(environ)
    given = _GivenEnvironment(environ)()
    names = {alias: field for field in Settings.model_fields for alias in variables_of(field)}
    values = {names.get(key, key): value for key, value in given.items()}
    try:
        return Settings.model_validate(_derived(values, environ, uid) | values)
    except ValidationError as error:
        lines = []
        for detail in error.errors():
            variable = _given_by(str(detail["loc"][0]), environ) or str(detail["loc"][0])
            expected = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            got = without_credentials(str(detail["input"]))
            lines.append(f"{variable}: got {got}, expected {expected.removeprefix('expected ')}")
        raise ConfigurationError("SETTING_INVALID", "\n".join(lines)) from error


def settings_from_environment() -> Settings:
    """The settings of this process: the one place where its environment is read.

    Raises:
        ConfigurationError: as ``load_settings``.
    """
    return load_settings(os.environ, uid=os.getuid())


def variables_of(field: str) -> tuple[str, ...]:
    """The variables that set ``field``, the one that wins first."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (PREFIX + field.upper(),)


def origins(settings: Settings, environ: Mapping[str, str]) -> tuple[Origin, ...]:
    """Every setting's effective value, and whether a variable, a rule or the default gave it."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        source = _given_by(name, environ)
        if source is None:
            derived = field.is_required() or (name == "runtime_root" and value is not None)
            source = "derived" if derived else "default"
        text = ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
        if name in ("redis_url", "api_base") and "@" in text:
            text = text.partition("//")[0] + "//***@" + text.rpartition("@")[2]
        rows.append(Origin(name, text, source))
    return tuple(rows)


def state_paths(settings: Settings) -> StatePaths:
    """Where everything lies. Computes only; ``adapters.state_folders`` makes the folders."""
    root = settings.state_dir
    work = settings.work_root or root
    return StatePaths(
        root=root,
        artifacts=settings.artifacts_root or root / "artifacts",
        mirrors=settings.repos_root or root / "mirrors",
        checkouts=work / "checkouts",
        quarantine=work / "quarantine",
        scratch=work / "scratch",
        wrappers=work / "wrappers",
        locks=root / "locks",
        keys=root / "keys",
        redis=root / "redis",
        trust=root / "trust",
    )


def hidden_folders(settings: Settings) -> tuple[Path, ...]:
    """What no job type may have mounted: the state, and the folder of a server's secrets."""
    return (*state_paths(settings).model_dump().values(), INSTALLED_CONFIG)


def origins_from_environment() -> tuple[Origin, ...]:
    """Every setting of this process, as ``runner config`` shows them.

    Raises:
        ConfigurationError: as ``load_settings``.
    """
    return origins(settings_from_environment(), os.environ)


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {name for field in Settings.model_fields for name in variables_of(field)}
    lines = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known | JOB_VARIABLES:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "see docs/configuration.md"
            lines.append(f"{shown(name)}: no such setting, {hint}")
    if lines:
        raise ConfigurationError("SETTING_UNKNOWN", "\n".join(lines))


def _given_by(field: str, environ: Mapping[str, str]) -> str | None:
    return next((name for name in variables_of(field) if environ.get(name)), None)


def _derived(
    given: Mapping[str, object], environ: Mapping[str, str], uid: int
) -> dict[str, object]:
    """The settings whose default depends on who runs this, and from where."""
    derived: dict[str, object] = {}
    if "state_dir" not in given:
        derived["state_dir"] = _default_state(environ, uid)
    checkout = Path(runner.__file__).resolve().parent.parent
    config = given.get("config_dir")
    if config is None:
        # pyproject.toml shows that this is a source checkout: a folder called configs that some
        # package put beside an installed one must not say what may run.
        from_source = (checkout / "pyproject.toml").is_file() and (checkout / "configs").is_dir()
        config = derived["config_dir"] = checkout / "configs" if from_source else INSTALLED_CONFIG
    if "wrappers_dir" not in given:
        folder = Path(str(config))
        beside = folder if folder == INSTALLED_CONFIG else folder.parent
        derived["wrappers_dir"] = beside / "wrappers"
    runtime = Path(environ.get("XDG_RUNTIME_DIR", ""))
    # Left over from another user after su(1), or gone after logging out, it is of no use.
    if runtime.is_absolute() and runtime.is_dir() and runtime.stat().st_uid == uid:
        derived["runtime_root"] = runtime
    return derived


def _default_state(environ: Mapping[str, str], uid: int) -> Path:
    if uid == 0:
        return Path("/var/lib/ai-ops-runner")
    # XDG Base Directory Specification: a relative path there is to be ignored.
    state, home = environ.get("XDG_STATE_HOME", ""), environ.get("HOME", "")
    if state.startswith("/"):
        return Path(state) / "ai-ops-runner"
    if home.startswith("/"):
        return Path(home) / ".local/state/ai-ops-runner"
    raise ConfigurationError(
        "SETTING_INVALID",
        "AIOPS_STATE_DIR: not set, and neither XDG_STATE_HOME nor HOME is an absolute path",
        remedy="set AIOPS_STATE_DIR to a folder of your own",
    )
