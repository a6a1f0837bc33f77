"""Nothing runs that isn't in the job allowlist, and nowhere that isn't in the repository's.

Each attack is made on the one door that leads to a plan, with allowlists loaded from real files.
What needs a mirror to be decided (a tag's id, a commit on no allowed branch) is tried elsewhere.
"""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from runner.bootstrap import catalog_of
from runner.errors import ConfigurationError, RefusedError
from runner.model.catalog import Catalog
from runner.model.job import JobRequest, RepoSource, Status
from runner.policy.admission import still_admitted
from runner.settings import Settings
from tests.support.catalogs import (
    JOBS_YAML,
    REPOS_YAML,
    SHA,
    admitted,
    request,
    write_configuration,
)
from tests.support.workshop import Workshop


@pytest.fixture(name="settings")
def _settings(tmp_path: Path) -> Settings:
    jobs = (
        JOBS_YAML
        + "  anywhere: {argv: [/bin/true], timeout_s: 5, requires_repo_allowlist: false}\n"
    )
    repos = REPOS_YAML + (
        "  secret:\n    url: https://git.example.org/team/secret\n"
        "    allowed_branches: [main]\n    default_branch: main\n    jobs: []\n"
    )
    return write_configuration(tmp_path, jobs=jobs, repos=repos)


@pytest.fixture(name="allowed")
def _allowed(settings: Settings) -> Catalog:
    return catalog_of(settings)


def refusal_of(allowed: Catalog, **fields: object) -> str:
    """The code with which a request with those fields is refused."""
    with pytest.raises(RefusedError) as refusal:
        admitted(request(**fields), allowed)
    return refusal.value.code


def test_still_allows_the_listed_job_on_the_listed_repository(allowed: Catalog) -> None:
    plan = admitted(request(params={"run_id": "abc"}), allowed)
    assert plan.argv == ("wrappers/echo.sh",)
    assert plan.repo_source is RepoSource.ALLOWLIST


# --- the commit


@pytest.mark.parametrize(
    "sha",
    [
        "main",
        "HEAD",
        "HEAD~1",
        "v1.0",
        ":/message",
        "@",
        "refs/heads/main",
        "--force",
        "--lock",
        "-",
        SHA[:7],
        SHA[:39],
        SHA + "0",
        SHA.upper(),
        "a" * 63,
        "a" * 65,
        "g" * 40,
        SHA + "\n",
        SHA + "^{tree}",
        SHA[:-1] + "٣",
        " " + SHA[1:],
        "\x00" * 40,
        "",
    ],
    ids=ascii,
)
def test_a_commit_that_is_not_a_full_id(allowed: Catalog, sha: str) -> None:
    assert refusal_of(allowed, sha=sha) == "SHA_MALFORMED"


@pytest.mark.parametrize("sha", [SHA, "a" * 64])
def test_still_allows_a_full_id(allowed: Catalog, sha: str) -> None:
    assert admitted(request(sha=sha), allowed).sha == sha


# --- the repository


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c 'touch /tmp/x'",
        "fd::3",
        "--upload-pack=touch /tmp/x",
        "-u./x",
        "file:///srv/git/orb.git",
        "/srv/git/orb.git",
        "../orb.git",
        "http://git.example.org/team/orb",
        "git://git.example.org/team/orb",
        "https://user:password@git.example.org/team/orb",
        "https://token@git.example.org/team/orb",
        "https://git.example.org/team/%2e%2e/secret",
        "https://git.example.org/team%2forb",
        "https://git.example.org/team/x/../orb",
        "https://git.example.org/team/orb\n",
        "https://git.example.org/team/orb\x00.evil.example.org",
        "",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("name", ["orb", "new"])
def test_a_url_that_is_a_weapon(allowed: Catalog, name: str, url: str) -> None:
    """Also beside a listed name, and for a job type that needs no listed repository."""
    code = refusal_of(allowed, job_type="anywhere", repo_name=name, remote_url=url)
    assert code == "REMOTE_URL_REFUSED"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.org/team/orb",
        "https://git.example.org.evil.example.org/team/orb",
        "https://git.example.org/evil/orb",
        "https://git.example.org:8443/team/orb",
        "ssh://mallory@git.example.org/team/orb.git",
        "https://git.example.org/team/secret",
    ],
)
def test_an_allowed_name_with_another_repositorys_url(allowed: Catalog, url: str) -> None:
    """It would poison the mirror that the name's jobs read from."""
    assert refusal_of(allowed, remote_url=url) == "REPO_URL_MISMATCH"


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/team/orb",
        "https://GIT.example.org:443/team/orb.git/",
        "ssh://git@git.example.org:22/team/orb",
        "git.example.org:/team/orb",
    ],
)
def test_still_allows_another_spelling_but_fetches_the_listed_one(
    allowed: Catalog, url: str
) -> None:
    assert admitted(request(remote_url=url), allowed).remote_url == allowed.repos["orb"].url


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/team/secret",
        "git@git.example.org:team/secret.git",
        "https://git.example.org/Team/SECRET",
        "ssh://bob@git.example.org:22/team/secret",
        "https://git.example.org:8443/team/secret",
    ],
)
def test_a_made_up_name_for_a_listed_repository(allowed: Catalog, url: str) -> None:
    """It would lift that repository's own limits: its branches and its job types."""
    code = refusal_of(allowed, job_type="anywhere", repo_name="new", remote_url=url)
    assert code == "REPO_URL_MISMATCH"


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/x", "https://169.254.169.254/latest", "https://localhost/x", "git@redis:x"],
)
def test_a_caller_points_the_runner_into_its_own_network(allowed: Catalog, url: str) -> None:
    code = refusal_of(allowed, job_type="anywhere", repo_name="new", remote_url=url)
    assert code == "REMOTE_URL_REFUSED"


def test_still_allows_an_unlisted_public_repository_where_the_job_type_says_so(
    allowed: Catalog,
) -> None:
    asked = request(
        job_type="anywhere", repo_name="new", remote_url="https://git.example.org/team/new"
    )
    assert admitted(asked, allowed).repo_source is RepoSource.UNLISTED


def test_an_unlisted_repository_for_a_job_type_that_needs_a_listed_one(allowed: Catalog) -> None:
    url = "https://git.example.org/team/new"
    assert refusal_of(allowed, repo_name="new", remote_url=url) == "REPO_UNKNOWN"


def test_a_repository_given_as_a_path_by_a_caller(allowed: Catalog) -> None:
    for job_type in ("echo", "anywhere"):
        assert refusal_of(allowed, job_type=job_type, repo_name="/srv/x") == "NAME_MALFORMED"
    assert "local_path" not in JobRequest.model_fields
    with pytest.raises(ValidationError):
        JobRequest.model_validate(request().model_dump() | {"local_path": "/srv/x"})


def test_a_job_type_on_a_repository_that_does_not_take_it(allowed: Catalog) -> None:
    assert refusal_of(allowed, repo_name="secret") == "REPO_NOT_ALLOWED_FOR_JOB"


# --- names


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "..",
        ".",
        "/etc",
        "a/b",
        "a\nb",
        "a\n",
        "a\x00",
        "",
        "-x",
        "--help",
        "a%2fb",
        "%2e%2e",
        "a b",
        "a\\b",
        "\uff41",
        "a" * 101,
        "\u202eorb",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("field", ["job_type", "repo_name"])
def test_a_name_that_would_be_a_path_or_an_option(allowed: Catalog, field: str, name: str) -> None:
    assert refusal_of(allowed, **{field: name}) == "NAME_MALFORMED"


@pytest.mark.parametrize("field", ["job_type", "repo_name", "sha", "remote_url"])
def test_a_megabyte_in_any_field_stops_at_the_edge(field: str) -> None:
    with pytest.raises(ValidationError):
        request(**{field: "a" * 1_000_000})


# --- what is run


def test_a_caller_brings_argv_env_limits_or_a_network() -> None:
    for field in ("argv", "env", "limits", "network", "toolchains", "FORCE_SIZE_CAP"):
        with pytest.raises(ValidationError):
            JobRequest.model_validate(request().model_dump() | {field: None})


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("nope", "x", "PARAM_UNKNOWN"),
        ("RUN_ID", "x", "PARAM_UNKNOWN"),
        ("LD_PRELOAD", "/x.so", "PARAM_UNKNOWN"),
        ("force_size_cap", "1", "PARAM_UNKNOWN"),
        ("run_id\n", "x", "PARAM_UNKNOWN"),
        ("run_id", "a\n", "PARAM_INVALID"),
        ("run_id", "a\nb", "PARAM_INVALID"),
        ("run_id", "a b", "PARAM_INVALID"),
        ("run_id", "*", "PARAM_INVALID"),
        ("run_id", "$(id)", "PARAM_INVALID"),
        ("run_id", "--force", "PARAM_INVALID"),
        ("run_id", "a\x00", "PARAM_INVALID"),
        ("run_id", "", "PARAM_INVALID"),
        ("run_id", "a" * 200_000, "PARAM_INVALID"),
        ("run_id", 7, "PARAM_INVALID"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_params_that_split_expand_or_steer(
    allowed: Catalog, name: str, value: str | int, code: str
) -> None:
    assert refusal_of(allowed, params={name: value}) == code


def test_a_timeout_longer_than_the_job_types(allowed: Catalog) -> None:
    assert refusal_of(allowed, timeout_s=86_400) == "TIMEOUT_TOO_LONG"


# --- the allowlists themselves


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n# nothing\n",
        "jobs\n",
        "version: 1\njobs:\n",
        JOBS_YAML + "  echo: {argv: [/bin/sh], timeout_s: 1}\n",
        JOBS_YAML.replace("allowed_params", "alowed_params"),
        JOBS_YAML.replace("timeout_s: 60", "timeout_s: 60\n    timeout_s: 90"),
        JOBS_YAML.replace("argv:", "argv: &a"),
        JOBS_YAML.replace("wrappers/echo.sh", "wrappers/../../bin/sh"),
        JOBS_YAML.replace("wrappers/echo.sh", "echo.sh"),
        b"\xff\xfe",
    ],
    ids=lambda content: ascii(content)[-40:],
)
def test_an_allowlist_with_a_mistake_in_it(tmp_path: Path, content: str | bytes) -> None:
    """Nothing starts: not with the mistaken entry, not with the others, not with none."""
    settings = write_configuration(tmp_path, jobs=content)
    with pytest.raises(ConfigurationError, match=r"job_allowlist\.yaml:\d+: "):
        catalog_of(settings)


def test_an_allowlist_that_changes_between_admission_and_execution(settings: Settings) -> None:
    plan = admitted(request(), catalog_of(settings))
    still_admitted(plan, catalog_of(settings))
    file = settings.config_dir / "job_allowlist.yaml"
    file.write_text(file.read_text() + "# reviewed\n")
    with pytest.raises(RefusedError) as refusal:
        still_admitted(plan, catalog_of(settings))
    assert refusal.value.code == "ALLOWLIST_CHANGED"


def test_a_wrapper_that_changes_between_admission_and_execution(settings: Settings) -> None:
    plan = admitted(request(), catalog_of(settings))
    (settings.wrappers_dir / "echo.sh").write_text("#!/bin/sh\nrm -rf /\n")
    with pytest.raises(RefusedError) as refusal:
        still_admitted(plan, catalog_of(settings))
    assert refusal.value.code == "ALLOWLIST_CHANGED"


def test_a_wrapper_that_leads_out_of_the_wrappers_folder(settings: Settings) -> None:
    (settings.wrappers_dir / "echo.sh").unlink()
    (settings.wrappers_dir / "echo.sh").symlink_to("/bin/sh")
    with pytest.raises(ConfigurationError, match="leaves the folder"):
        catalog_of(settings)


@pytest.mark.parametrize("word", ["DATA-0", "DATA-3", "DATA-99", "{0}", "%s"])
def test_a_param_that_looks_like_something_of_the_runners_own(
    workshop: Workshop, word: str
) -> None:
    """What was admitted and recorded is what the job gets."""
    spec = {"type": "pattern", "pattern": "[ -~]+", "max_length": 20}
    workshop.add("told", 'printf %s "$WORD"', allowed_params={"word": spec})
    artifact = workshop.execute(workshop.submit("told", params={"word": word}))
    assert artifact.status is Status.SUCCESS, artifact.detail
    assert workshop.log(artifact) == word


def _empty(copy: Path) -> None:
    (copy / "sealed.sh").write_bytes(b"")  # as a power cut leaves it; a shell succeeds at it


def _add(copy: Path) -> None:
    (copy / "more.sh").write_text("echo more\n")


def _remove(copy: Path) -> None:
    (copy / "sealed.sh").unlink()


def _link(copy: Path) -> None:
    (copy / "sealed.sh").rename(copy.parent / "elsewhere.sh")
    (copy / "sealed.sh").symlink_to("../elsewhere.sh")


@pytest.mark.parametrize("spoil", [_empty, _add, _remove, _link])
def test_a_sealed_copy_of_the_wrappers_that_was_spoilt_is_not_run(
    workshop: Workshop, spoil: Callable[[Path], None]
) -> None:
    workshop.add("sealed", 'ls "$AIOPS_WRAPPERS"; exit 7')
    first = workshop.execute(workshop.submit("sealed"))
    (copy,) = workshop.runner.paths.wrappers.glob(first.wrappers_hash)
    spoil(copy)
    again = workshop.execute(workshop.submit("sealed"))
    assert (first.exit_code, again.exit_code) == (7, 7)
    assert workshop.log(again) == workshop.log(first)
    assert list(workshop.runner.paths.wrappers.glob(".*")) == []


def test_only_admission_makes_plans() -> None:
    """No other module of the program calls the constructor of ``JobPlan``."""
    package = Path(inspect.getfile(Catalog)).parents[1]
    makers = [
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if "JobPlan(" in file.read_text(encoding="utf-8").replace("class JobPlan(", "")
    ]
    assert makers == ["policy/admission.py"]
