"""``runner config``, ``doctor``, ``gc`` and ``verify`` as a person or a script meets them."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from tests.support.command_line import CommandLine


def test_config_shows_every_value_and_where_it_came_from(cli: CommandLine) -> None:
    rows = json.loads(cli("config", "--json").stdout)
    assert rows["state_dir"] == {
        "value": str(cli.shop.runner.paths.root),
        "source": "AIOPS_STATE_DIR",
    }
    assert rows["job_uid"]["source"] == "default"
    text = cli("config").stdout
    assert all(name in text for name in rows)
    assert "AIOPS_STATE_DIR" in text


def test_config_hides_a_password(cli: CommandLine) -> None:
    url = "redis://user:hunter2@redis.example.org/0"
    for arguments in (("config",), ("config", "--json")):
        done = cli(*arguments, env={"AIOPS_REDIS_URL": url})
        assert "hunter2" not in done.stdout
        assert "redis.example.org" in done.stdout


def test_config_makes_no_state(cli: CommandLine) -> None:
    state = cli.shop.folder / "not-there-yet"
    assert cli("config", env={"AIOPS_STATE_DIR": str(state)}).exit_code == 0
    assert not state.exists()


@pytest.mark.parametrize("name", ["job_allowlist", "repo_allowlist", "artifact", "artifact.dsse"])
def test_the_schemas_are_published(cli: CommandLine, name: str) -> None:
    schema = json.loads(cli("config", "--schema", name).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)


def test_an_unknown_schema_names_those_that_there_are(cli: CommandLine) -> None:
    done = cli("config", "--schema", "nope")
    assert done.exit_code == 2
    assert "'nope'" in done.stderr
    assert "job_allowlist" in done.stderr


def test_doctor_attacks_each_backend_and_says_what_holds(
    cli: CommandLine, backend_name: str
) -> None:
    done = cli("doctor", "--json", env={"AIOPS_SANDBOX_BACKENDS": backend_name})
    assert done.exit_code == 0, done
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert findings[f"sandbox {backend_name}"]["health"] == "ok"
    assert "by attack from inside" in findings[f"sandbox {backend_name}"]["what"]
    assert set(findings) >= {"configuration", "git", "redis", "signing key", "disk"}


def test_doctor_is_broken_where_nothing_confines(cli: CommandLine) -> None:
    done = cli("doctor", env={"AIOPS_SANDBOX_BACKENDS": "none"})
    assert done.exit_code == 3
    assert "broken  sandbox none" in done.stdout
    assert "not refused" in done.stdout


def test_doctor_goes_on_after_something_broken(cli: CommandLine) -> None:
    (cli.shop.configs / "job_allowlist.yaml").write_text("version: 1\njobs: {\n")
    done = cli("doctor", env={"AIOPS_REDIS_URL": f"unix://{cli.shop.folder}/nowhere.sock"})
    assert done.exit_code == 3
    lines = done.stdout.splitlines()
    assert any(line.startswith("broken  configuration") for line in lines)
    assert any(line.startswith("broken  redis") for line in lines)
    assert any(line.startswith("ok      git") for line in lines)
    assert "Traceback" not in done.stderr


def test_doctor_leaves_nothing_behind(cli: CommandLine) -> None:
    assert cli("doctor").exit_code == 0
    assert list(cli.shop.runner.paths.scratch.iterdir()) == []
    assert cli("list").stdout == "no jobs\n"


def test_gc_on_nothing_frees_nothing(cli: CommandLine) -> None:
    assert cli("gc").stdout == "freed 0 B\n"
    assert cli("gc", "--dry-run").stdout == "would free 0 B\n"
    assert json.loads(cli("gc", "--json").stdout) == {"recovered": [], "removed": []}


def test_gc_dry_run_removes_nothing_and_says_the_same(cli: CommandLine) -> None:
    artifact = cli.shop.execute(cli.shop.submit("echo"))
    old = {"AIOPS_CHECKOUTS_MAX_BYTES": "0"}
    dry = json.loads(cli("gc", "--dry-run", "--json", env=old).stdout)["removed"]
    assert {one["kind"] for one in dry} >= {"checkout", "mirror"}
    assert not any(one["done"] for one in dry)
    assert list(cli.shop.runner.paths.checkouts.glob(f"*/{cli.shop.sha}"))
    wet = json.loads(cli("gc", "--json", env=old).stdout)["removed"]
    assert [(one["kind"], one["name"]) for one in wet] == [
        (one["kind"], one["name"]) for one in dry
    ]
    assert all(one["done"] for one in wet)
    assert not list(cli.shop.runner.paths.checkouts.glob(f"*/{cli.shop.sha}"))
    cli.shop.check(artifact)
    assert cli.run("echo").exit_code == 0


def test_gc_gives_a_lost_job_its_record(cli: CommandLine) -> None:
    folder = cli.shop.submit("echo")
    folder.reserve()
    assert json.loads(cli("gc", "--dry-run", "--json").stdout)["recovered"] == []
    assert folder.artifact() is None
    assert json.loads(cli("gc", "--json").stdout)["recovered"] == [folder.job_id]
    cli.shop.checked(folder.job_id)


def test_verify_says_what_it_checked_by_id_path_and_last(cli: CommandLine) -> None:
    artifact = cli.shop.run("echo hi > $ARTIFACT_DIR/out")
    folder = cli.shop.runner.folders.open(artifact.job_id).path
    for what in (artifact.job_id, "last", str(folder), str(folder / "artifact.json")):
        done = cli("verify", what)
        assert done.exit_code == 0, done
        assert done.stdout.splitlines()[-1].startswith("VALID: signed by ")
        for check in ("record", "plan", "checksums", "files", "signature", "statement"):
            assert f"  {check} " in done.stdout
    assert json.loads(cli("verify", "last", "--json").stdout)["job_id"] == artifact.job_id


def test_verify_of_a_changed_output_is_invalid(cli: CommandLine) -> None:
    artifact = cli.shop.run("echo hi > $ARTIFACT_DIR/out")
    out = cli.shop.runner.folders.open(artifact.job_id).path / "outputs" / "out"
    out.write_text("ho\n")
    done = cli("verify", "last")
    assert done.exit_code == 5
    assert "INVALID" in done.stdout
    assert "outputs/out" in done.stdout


def test_verify_elsewhere_needs_a_key_that_is_trusted(cli: CommandLine) -> None:
    artifact = cli.shop.run("true")
    copy = cli.shop.folder / "copy"
    shutil.copytree(cli.shop.runner.folders.open(artifact.job_id).path, copy)
    elsewhere = {"AIOPS_STATE_DIR": str(cli.shop.folder / "elsewhere")}
    done = cli("verify", str(copy), env=elsewhere)
    assert done.exit_code == 3, done
    assert "INTEGRITY_ONLY" in done.stdout
    (key,) = cli.shop.runner.paths.trust.glob("*.pem")
    assert cli("verify", str(copy), "--key", str(key), env=elsewhere).exit_code == 0


def test_verify_of_a_hostile_folder_shows_nothing_raw(cli: CommandLine) -> None:
    artifact = cli.shop.run("true")
    copy = cli.shop.folder / "copy"
    shutil.copytree(cli.shop.runner.folders.open(artifact.job_id).path, copy)
    (copy / "ev\x1b[2Jil").write_text("x")
    (copy / "link").symlink_to("/etc/passwd")
    done = cli("verify", str(copy))
    assert done.exit_code == 5
    assert "\x1b" not in done.stdout + done.stderr


def test_verify_of_what_is_no_record_says_so(cli: CommandLine) -> None:
    for what, code, word in (
        (str(cli.shop.folder / "nowhere"), 2, "RECORD_UNKNOWN"),
        (str(cli.shop.repo), 5, "artifact.json"),
        (str(Path("/dev/null")), 2, "RECORD_UNKNOWN"),
    ):
        done = cli("verify", what)
        assert done.exit_code == code, done
        assert word in done.stdout + done.stderr
