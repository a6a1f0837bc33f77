"""What ``repo_doctor`` finds, and what it leaves alone."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.orb_repo import build_orb_repo, commit_all, git, put
from tests.support.wrapper_run import open_folder, run_wrapper

# Made up here and put together at run time, so that no scanner takes this file for a leak.
GITHUB = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
AWS = "AK" + "IA" + "Q3EGRIUZ7WXMLP5T"
KEY = "-----BEGIN " + "OPENSSH PRIVATE" + " KEY-----"


@pytest.fixture
def scratch() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def repo(scratch: Path) -> Path:
    return build_orb_repo(scratch / "orb")


def examine(repo: Path, scratch: Path) -> dict[str, list[dict[str, Any]]]:
    """Commits what lies there; the findings by kind."""
    commit_all(repo)
    run = run_wrapper("repo_doctor", repo, scratch)
    assert run.exit_code == 0, run.stderr
    report = json.loads(run.text("repo_doctor.json"))
    kinds: dict[str, list[dict[str, Any]]] = {}
    for finding in report["findings"]:
        kinds.setdefault(finding["kind"], []).append(finding)
    assert {kind: len(found) for kind, found in kinds.items()} == report["kinds"]
    return kinds


def paths(found: list[dict[str, Any]]) -> list[str]:
    return [finding["path"] for finding in found]


def test_a_healthy_repository_has_no_findings(repo: Path, scratch: Path) -> None:
    assert examine(repo, scratch) == {}


def test_secrets_are_found_by_line_and_never_shown(repo: Path, scratch: Path) -> None:
    put(repo, "a.py", f"x = 1\nTOKEN = '{GITHUB}'\n")
    put(repo, "b.cfg", f"[aws]\nkey={AWS}\n")
    put(repo, "c.pem", f"{KEY}\nb3BlbnNzaC1rZXktdjEAAAAA\n")
    put(repo, "d.txt", "postgres://robot:hunter2hunter2@db.internal/x\n")
    commit_all(repo)
    run = run_wrapper("repo_doctor", repo, scratch)
    found = json.loads(run.text("repo_doctor.json"))["findings"]
    assert {(f["kind"], f["path"], f["line"]) for f in found} == {
        ("token", "a.py", 2),
        ("token", "b.cfg", 2),
        ("private_key", "c.pem", 1),
        ("password_in_url", "d.txt", 1),
    }
    everything = run.stdout + run.stderr + run.text("repo_doctor.json")
    for secret in (GITHUB, AWS, "hunter2"):
        for at in range(4, len(secret) - 5):
            assert secret[at : at + 6] not in everything


def test_a_secret_in_a_name_or_a_link_is_not_shown_either(repo: Path, scratch: Path) -> None:
    put(repo, f"odd/{GITHUB}/CON", f"{GITHUB}\n")
    put(repo, "x.md", f"[a](missing/{GITHUB})\n[b](missing/{GITHUB + 'zQ7' * 99})\n")
    (repo / "link").symlink_to(f"gone/{GITHUB}")
    commit_all(repo)
    run = run_wrapper("repo_doctor", repo, scratch)
    everything = run.stdout + run.stderr + run.text("repo_doctor.json")
    assert GITHUB[4:] not in everything
    assert "zQ7" not in everything
    assert {"name_windows", "token", "broken_link", "broken_symlink"} <= set(
        json.loads(run.text("repo_doctor.json"))["kinds"]
    )


def test_placeholders_are_no_secrets(repo: Path, scratch: Path) -> None:
    lines = ["AK" + "IAIOSFODNN7EXAMPLE", "gh" + "p_" + "x" * 36, "https://user:${PASSWORD}@host/"]
    lines += [f'if "{KEY}" in text:', "sk-learn-is-a-package-name", "https://u:password@host/"]
    put(repo, "docs.txt", "\n".join(lines))
    assert examine(repo, scratch) == {}


def test_a_committed_conflict_is_found_and_a_heading_is_not(repo: Path, scratch: Path) -> None:
    ours = "<" * 7 + " HEAD\n"
    theirs = ">" * 7 + " main\n"
    put(repo, "bad.py", f"a\n{ours}b\n" + "=" * 7 + f"\nc\n{theirs}")
    put(repo, "bad_crlf.py", f"{ours}b\n".replace("\n", "\r\n") + "=" * 7 + "\r\n" + theirs)
    put(repo, "good.rst", "Heading\n=======\n\n" + ours)
    kinds = examine(repo, scratch)
    assert [(f["path"], f["line"]) for f in kinds["merge_marker"]] == [
        ("bad.py", 2),
        ("bad_crlf.py", 1),
    ]


def test_markdown_links_to_nothing_are_found_and_others_are_not(repo: Path, scratch: Path) -> None:
    put(repo, "docs/a b (c).md", "")
    put(
        repo,
        "docs/x.md",
        "[up](../README.md#top) [folder](../ops) [root](/README.md) [web](https://x.invalid/y)\n"
        '[space](a%20b%20(c).md "title") [angle](<a b (c).md>) [mail](mailto:a@x.invalid)\n'
        "[here](#part) [forge](../../issues/1) [query](../README.md?plain=1)\n"
        "`[code](nothing.md)` ``[`](nothing.md)``\n```\n[fenced](nothing.md)\n```\n"
        "[one](gone.md) and ![two](img/gone.png)\n[ref]: gone/ref.md\n",
    )
    found = examine(repo, scratch)["broken_link"]
    assert [(f["line"], f["detail"]) for f in found] == [
        (8, "to gone.md"),
        (8, "to img/gone.png"),
        (9, "to gone/ref.md"),
    ]


def test_symlinks_are_broken_circular_leaving_or_fine(repo: Path, scratch: Path) -> None:
    put(scratch, "outside.txt", "")
    links = {
        "fine": "README.md",
        "fine_folder": "ops",
        "broken": "nowhere",
        "loop_a": "loop_b",
        "loop_b": "loop_a",
        "self": "self/x",
        "leaves": "../outside.txt",
        "leaves_broken": "../../nowhere",
        "absolute": "/etc/passwd",
    }
    for name, target in links.items():
        (repo / name).symlink_to(target)
    kinds = examine(repo, scratch)
    assert paths(kinds["broken_symlink"]) == ["broken", "loop_a", "loop_b", "self"]
    assert paths(kinds["symlink_leaves_tree"]) == ["absolute", "leaves", "leaves_broken"]


def test_names_that_make_trouble_are_found(repo: Path, scratch: Path) -> None:
    put(repo, "Docs/other.txt", "")
    put(repo, "caf\u00e9", "")
    put(repo, "cafe\u0301", "")
    put(repo, "aux.txt", "")
    put(repo, "what?", "")
    put(repo, "line\nbreak", "")
    put(repo, "\u202egpj.exe", "")
    put(repo, "deep/" * 50 + "x", "")
    (Path(os.fsdecode(os.fsencode(repo) + b"/\xff\xfe"))).write_text("")
    kinds = examine(repo, scratch)
    assert paths(kinds["name_not_utf8"]) == ["\\xff\\xfe"]
    assert paths(kinds["name_control"]) == ["\\u202egpj.exe", "line\\nbreak"]
    assert paths(kinds["name_windows"]) == ["aux.txt", "what?"]
    assert len(kinds["name_long"]) == 1
    assert sorted(f["detail"] for f in kinds["name_collision"]) == ["and Docs", "and cafe\u0301"]


def test_large_files_are_found_by_what_the_commit_says(repo: Path, scratch: Path) -> None:
    for name, size in (("large.bin", 6 << 20), ("huge.bin", 200 << 20)):
        with (repo / name).open("wb") as file:
            file.truncate(size)
    kinds = examine(repo, scratch)
    assert paths(kinds["large_file"]) == ["large.bin"]
    assert kinds["huge_file"][0]["detail"] == "200.0 MiB"
    assert paths(kinds["not_read_whole"]) == ["huge.bin", "large.bin"]


def test_mixed_line_ends_are_found_and_plain_crlf_is_not(repo: Path, scratch: Path) -> None:
    put(repo, "mixed.txt", "a\r\nb\n")
    put(repo, "windows.bat", "a\r\nb\r\n")
    put(repo, "binary.bin", b"\0a\r\nb\n")
    assert paths(examine(repo, scratch)["mixed_line_ends"]) == ["mixed.txt"]


def test_a_hook_without_its_bit_is_an_error(repo: Path, scratch: Path) -> None:
    put(repo, ".githooks/pre-commit", "#!/bin/sh\n")
    put(repo, ".githooks/README.md", "Not a hook.\n")
    (found,) = examine(repo, scratch)["hook_not_executable"]
    assert (found["path"], found["level"]) == (".githooks/pre-commit", "error")


def test_what_a_project_lacks_is_said(scratch: Path) -> None:
    put(scratch / "bare", "x.txt", "x\n")
    kinds = examine(scratch / "bare", scratch)
    assert set(kinds) == {"no_readme", "no_licence", "no_ci", "no_gitignore", "no_hooks"}


def test_submodules_and_lfs_pointers_are_noted(repo: Path, scratch: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"
    put(repo, "model.bin", pointer)
    put(repo, ".gitmodules", '[submodule "a"]\n\tpath = vendor/a\n\turl = https://x.invalid/a\n')
    git(repo, "add", "--all")
    for path in ("vendor/a", "vendor/b"):
        git(repo, "update-index", "--add", "--cacheinfo", f"160000,{head},{path}")
    git(repo, "commit", "--quiet", "--message", "submodules")
    run = run_wrapper("repo_doctor", repo, scratch)
    kinds = json.loads(run.text("repo_doctor.json"))["kinds"]
    assert kinds == {"lfs_pointer": 1, "submodule": 1, "submodule_without_url": 1}


@pytest.mark.parametrize(
    ("strict", "warning", "error"), [("off", 0, 0), ("errors", 0, 1), ("warnings", 1, 1)]
)
def test_strict_says_from_which_level_on_a_finding_fails_the_job(
    repo: Path, scratch: Path, strict: str, warning: int, error: int
) -> None:
    put(repo, "mixed.txt", "a\r\nb\n")
    commit_all(repo)
    assert run_wrapper("repo_doctor", repo, scratch, params={"strict": strict}).exit_code == warning
    put(repo, "token.txt", GITHUB)
    commit_all(repo)
    assert run_wrapper("repo_doctor", repo, scratch, params={"strict": strict}).exit_code == error


def test_an_unknown_commit_is_no_report(repo: Path, scratch: Path) -> None:
    run = run_wrapper("repo_doctor", repo, scratch, environment={"AIOPS_SHA": "1" * 40})
    assert run.exit_code == 3
    assert "git ls-tree ended with 128" in run.stderr
    assert not (run.artifacts / "REPO_DOCTOR.txt").exists()


@pytest.mark.parametrize("sha", ["HEAD", "--help", "1" * 39])
def test_a_commit_id_of_another_form_never_reaches_git(repo: Path, scratch: Path, sha: str) -> None:
    assert run_wrapper("repo_doctor", repo, scratch, environment={"AIOPS_SHA": sha}).exit_code == 2


def test_the_same_commit_gives_the_same_report(repo: Path, scratch: Path) -> None:
    put(repo, "x.md", "[a](b) [c](d)\n")
    commit_all(repo)
    first, second = (run_wrapper("repo_doctor", repo, scratch) for _ in range(2))
    assert first.stdout == second.stdout == first.text("REPO_DOCTOR.txt")
    assert first.text("repo_doctor.json") == second.text("repo_doctor.json")


def test_findings_without_end_are_counted_and_capped(repo: Path, scratch: Path) -> None:
    put(repo, "x.md", "".join(f"[a](gone{n})\n" for n in range(3000)))
    commit_all(repo)
    run = run_wrapper("repo_doctor", repo, scratch)
    report = json.loads(run.text("repo_doctor.json"))
    assert (report["kinds"]["broken_link"], len(report["findings"])) == (3000, 500)
    assert "  and 2980 more; " in run.stdout
