"""Loading what is allowed: pinned by its exact bytes, or refused with everything that is wrong."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from runner.bootstrap import catalog_of
from runner.errors import ConfigurationError
from runner.settings import load_settings
from tests.support.catalogs import JOBS_YAML, REPOS_YAML, write_configuration


def catalog_errors(folder: Path, **files: str | bytes) -> str:
    """What is said about a configuration with files replaced."""
    settings = write_configuration(folder, **files)
    with pytest.raises(ConfigurationError) as refusal:
        catalog_of(settings)
    return str(refusal.value.args[0])


def test_the_shipped_configuration_loads() -> None:
    catalog = catalog_of(load_settings({"HOME": "/home/someone"}, uid=1000))
    assert "local_echo" in catalog.job_types


def test_a_catalog_is_pinned_by_the_exact_bytes(tmp_path: Path) -> None:
    settings = write_configuration(tmp_path)
    catalog = catalog_of(settings)
    pinned = {
        "job_allowlist.yaml": hashlib.sha256(JOBS_YAML.encode()).hexdigest(),
        "repo_allowlist.yaml": hashlib.sha256(REPOS_YAML.encode()).hexdigest(),
    }
    text = json.dumps(pinned, sort_keys=True, separators=(",", ":"))
    assert catalog.allowlist_hash == hashlib.sha256(text.encode()).hexdigest()
    (settings.config_dir / "job_allowlist.yaml").write_text(JOBS_YAML + "# a comment\n")
    again = catalog_of(settings)
    assert again.allowlist_hash != catalog.allowlist_hash
    assert again.job_types == catalog.job_types


def test_a_changed_allowlist_is_seen_whatever_its_size_and_times_say(tmp_path: Path) -> None:
    """What was parsed is kept by its exact bytes, which are read every time."""
    settings = write_configuration(tmp_path)
    before = catalog_of(settings)
    file = settings.config_dir / "job_allowlist.yaml"
    then = file.stat()
    file.write_text(JOBS_YAML.replace("timeout_s: 60", "timeout_s: 61"))
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert file.stat().st_size == then.st_size
    after = catalog_of(settings)
    assert after.job_types["echo"].timeout_s == 61
    assert after.allowlist_hash != before.allowlist_hash
    file.write_text(JOBS_YAML)
    assert catalog_of(settings) == before


def test_any_change_of_a_wrapper_changes_the_wrappers_hash(tmp_path: Path) -> None:
    settings = write_configuration(tmp_path)
    seen = {catalog_of(settings).wrappers_hash}
    (settings.wrappers_dir / "lib.sh").write_text("true\n")
    seen.add(catalog_of(settings).wrappers_hash)
    (settings.wrappers_dir / "lib.sh").write_text("false\n")
    seen.add(catalog_of(settings).wrappers_hash)
    (settings.wrappers_dir / "lib.sh").rename(settings.wrappers_dir / "lib2.sh")
    seen.add(catalog_of(settings).wrappers_hash)
    assert len(seen) == 4


def test_problems_of_both_files_are_listed_at_once(tmp_path: Path) -> None:
    message = catalog_errors(
        tmp_path,
        jobs=JOBS_YAML.replace("echo.sh", "none.sh").replace("  echo:", "  bad: 1\n  echo:"),
        repos=REPOS_YAML.replace("default_branch: main", "default_branch: dev")
        + "    jobs: [echo, bad, ecko]\n",
    )
    lines = message.splitlines()
    assert len(lines) == 4
    assert "job_allowlist.yaml:4: key 'jobs.bad': got 1" in lines[0]
    assert "job_allowlist.yaml:6: key 'jobs.echo.argv[0]': got 'wrappers/none.sh'" in lines[1]
    assert "repo_allowlist.yaml:7: key 'repos.orb.default_branch': got 'dev'" in lines[2]
    assert "repo_allowlist.yaml:8: key 'repos.orb.jobs[2]': got 'ecko'" in lines[3]


def test_a_toolchain_that_holds_the_state_or_the_servers_secrets_is_refused(
    tmp_path: Path,
) -> None:
    jobs = JOBS_YAML + f"    toolchains: [{tmp_path}, /etc]\n"
    message = catalog_errors(tmp_path, jobs=jobs)
    assert "toolchains[0]" in message
    assert "toolchains[1]" in message


def test_a_missing_allowlist_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    settings = write_configuration(tmp_path)
    (settings.config_dir / "repo_allowlist.yaml").unlink()
    with pytest.raises(ConfigurationError) as refusal:
        catalog_of(settings)
    assert refusal.value.code == "CONFIG_MISSING"
