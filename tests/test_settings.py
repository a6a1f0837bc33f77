"""Settings, and where they come from."""

import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import ConfigurationError
from runner.settings import (
    JOB_VARIABLES,
    Settings,
    load_settings,
    origins,
    state_paths,
    variables_of,
)

ROOT = Path(__file__).parents[1]
HOME = {"HOME": "/home/someone"}


def refusal_of(**environ: str) -> ConfigurationError:
    """The error that those variables give."""
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(HOME | environ, uid=1000)
    return refusal.value


def test_roots_state_is_the_systems() -> None:
    assert load_settings({}, uid=0).state_dir == Path("/var/lib/ai-ops-runner")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/home/someone/.local/state/ai-ops-runner"),
        ({"XDG_STATE_HOME": "/x"}, "/x/ai-ops-runner"),
        ({"XDG_STATE_HOME": "x"}, "/home/someone/.local/state/ai-ops-runner"),
        ({"XDG_STATE_HOME": "/x", "AIOPS_STATE_DIR": "/y"}, "/y"),
        ({"AIOPS_STATE_DIR": ""}, "/home/someone/.local/state/ai-ops-runner"),
    ],
)
def test_an_ordinary_users_state_is_where_xdg_says(environ: dict[str, str], expected: str) -> None:
    assert load_settings(HOME | environ, uid=1000).state_dir == Path(expected)


def test_without_any_home_the_state_folder_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="AIOPS_STATE_DIR"):
        load_settings({}, uid=1000)


def test_a_source_checkout_brings_its_own_configuration() -> None:
    settings = load_settings(HOME, uid=1000)
    assert settings.config_dir == ROOT / "configs"
    assert settings.wrappers_dir == ROOT / "wrappers"


@pytest.mark.parametrize(
    ("config", "wrappers"),
    [("/srv/x/configs", "/srv/x/wrappers"), ("/etc/ai-ops-runner", "/etc/ai-ops-runner/wrappers")],
)
def test_the_wrappers_lie_beside_the_configuration(config: str, wrappers: str) -> None:
    settings = load_settings(HOME | {"AIOPS_CONFIG_DIR": config}, uid=1000)
    assert settings.wrappers_dir == Path(wrappers)


@pytest.mark.parametrize(
    "name", ["ARTIFACTS_ROOT", "REPOS_ROOT", "WORK_ROOT", "REDIS_URL", "API_BASE"]
)
def test_some_settings_are_understood_without_the_prefix_which_wins_if_present(name: str) -> None:
    start = {"REDIS_URL": "redis:/", "API_BASE": "http:/"}.get(name, "")
    field = name.lower()
    plain = load_settings(HOME | {name: f"{start}/a"}, uid=1000)
    both = load_settings(HOME | {name: f"{start}/a", f"AIOPS_{name}": f"{start}/b"}, uid=1000)
    assert str(getattr(plain, field)) == f"{start}/a"
    assert str(getattr(both, field)) == f"{start}/b"


def test_lists_and_sizes_are_read_as_people_write_them() -> None:
    environ = {"AIOPS_SANDBOX_BACKENDS": "landlock, none", "AIOPS_CHECKOUTS_MAX_BYTES": "3GiB"}
    settings = load_settings(HOME | environ, uid=1000)
    assert settings.sandbox_backends == ("landlock", "none")
    assert settings.checkouts_max_bytes == 3 * 1024**3


def test_confinement_is_on_unless_somebody_says_otherwise() -> None:
    settings = load_settings(HOME | {"AIOPS_SANDBOX_BACKENDS": ""}, uid=1000)
    assert settings.sandbox_backends == ("bubblewrap", "landlock")
    assert settings.sandbox_min_level == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIOPS_STATE_DIR", "relative"),
        ("AIOPS_STATE_DIR", "~/x"),
        ("WORK_ROOT", "x"),
        ("REDIS_URL", "http://h"),
        ("API_BASE", "h:80"),
        ("AIOPS_SANDBOX_BACKENDS", "docker"),
        ("AIOPS_SANDBOX_BACKENDS", "landlock,landlock"),
        ("AIOPS_SANDBOX_BACKENDS", ","),
        ("AIOPS_SANDBOX_MIN_LEVEL", "4"),
        ("AIOPS_SANDBOX_MIN_LEVEL", "-1"),
        ("AIOPS_JOB_UID", "0"),
        ("AIOPS_JOB_UID", "4294967295"),
        ("AIOPS_JOB_UID", "nobody"),
        ("AIOPS_TERM_GRACE_S", "nan"),
        ("AIOPS_TERM_GRACE_S", "-1"),
        ("AIOPS_CHECKOUTS_MAX_BYTES", "3MB"),
        ("AIOPS_GIT_TIMEOUT_S", "0"),
        ("AIOPS_LOG_LEVEL", "verbose"),
    ],
)
def test_a_wrong_value_is_refused_with_its_variable(name: str, value: str) -> None:
    refusal = refusal_of(**{name: value})
    assert refusal.code == "SETTING_INVALID"
    assert refusal.args[0].startswith(f"{name}: got {value!r}, expected ")


def test_every_wrong_value_is_listed() -> None:
    refusal = refusal_of(AIOPS_JOB_UID="0", AIOPS_SANDBOX_MIN_LEVEL="9")
    assert len(refusal.args[0].splitlines()) == 2


def test_a_variable_that_names_no_setting_is_refused_with_the_nearest() -> None:
    refusal = refusal_of(AIOPS_SANDBOX_MIN_LEVE="0")
    assert refusal.code == "SETTING_UNKNOWN"
    assert "did you mean AIOPS_SANDBOX_MIN_LEVEL?" in refusal.args[0]


def test_the_variables_of_a_job_are_no_mistake() -> None:
    """A job may run this very program, as the test suite of its own repository does."""
    load_settings(HOME | dict.fromkeys(JOB_VARIABLES, "x"), uid=1000)


def test_a_variable_in_lower_case_is_not_a_setting() -> None:
    environ = HOME | {"aiops_sandbox_min_level": "0", "redis_url": "redis://x"}
    settings = load_settings(environ, uid=1000)
    assert settings.sandbox_min_level == 2
    assert settings.redis_url is None


def test_nothing_but_the_given_environment_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("AIOPS_SANDBOX_MIN_LEVEL=0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIOPS_SANDBOX_MIN_LEVEL", "1")
    assert load_settings(HOME, uid=1000).sandbox_min_level == 2


def test_settings_cannot_be_changed() -> None:
    settings = load_settings(HOME, uid=1000)
    with pytest.raises(ValueError, match="frozen"):
        settings.sandbox_min_level = 0  # type: ignore[misc]


def test_a_password_is_in_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    environ = HOME | {"REDIS_URL": "redis://:hunter2@h:6379/0"}
    settings = load_settings(environ, uid=1000)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(origins(settings, environ))
    assert "redis://***@h:6379/0" in str(origins(settings, environ))
    assert "hunter2" not in refusal_of(REDIS_URL="http://:hunter2@h").args[0]


def test_every_settings_origin_is_known() -> None:
    environ = HOME | {"WORK_ROOT": "/w", "AIOPS_JOB_UID": "5", "AIOPS_LOG_LEVEL": ""}
    rows = {row.name: row for row in origins(load_settings(environ, uid=1000), environ)}
    assert set(rows) == set(Settings.model_fields)
    assert (rows["work_root"].value, rows["work_root"].source) == ("/w", "WORK_ROOT")
    assert (rows["job_uid"].value, rows["job_uid"].source) == ("5", "AIOPS_JOB_UID")
    assert rows["log_level"].source == "default"
    assert rows["state_dir"].source == "derived"


def test_a_runtime_folder_of_somebody_elses_is_not_used(tmp_path: Path) -> None:
    environ = HOME | {"XDG_RUNTIME_DIR": str(tmp_path)}
    own = tmp_path.stat().st_uid
    assert load_settings(environ, uid=own).runtime_root == tmp_path
    assert load_settings(environ, uid=own + 1).runtime_root is None


def test_every_setting_and_each_of_its_variables_is_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    for field in Settings.model_fields:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{field}` |"))
        for variable in variables_of(field):
            assert f"`{variable}`" in row


def test_everything_lies_below_the_state_folder_unless_a_setting_says_otherwise() -> None:
    paths = state_paths(load_settings(HOME | {"AIOPS_STATE_DIR": "/s"}, uid=1000))
    assert all(folder.is_relative_to("/s") for folder in paths.model_dump().values())
    assert len(set(paths.model_dump().values())) == len(paths.model_dump())
    environ = {
        "AIOPS_STATE_DIR": "/s",
        "ARTIFACTS_ROOT": "/a",
        "REPOS_ROOT": "/r",
        "WORK_ROOT": "/w",
    }
    paths = state_paths(load_settings(environ, uid=1000))
    assert paths.artifacts == Path("/a")
    assert paths.mirrors == Path("/r")
    assert paths.checkouts.parent == paths.quarantine.parent == Path("/w")
    assert paths.keys.parent == Path("/s")


def test_help_doesnt_wait_for_pydantic_settings() -> None:
    script = (
        "import sys, runner.policy.admission, runner.model.state\n"
        "assert 'pydantic_settings' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
