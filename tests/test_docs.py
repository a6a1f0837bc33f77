"""The documentation names what is there, and what is there is named."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from runner.errors import (
    BusyError,
    ConfigurationError,
    IntegrityError,
    RefusedError,
    UnavailableError,
)
from runner.policy import exit_codes

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs/adr").glob("0*.md"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)
    assert not broken


def test_every_promise_of_the_readme_has_its_attacks_and_every_attack_its_promise() -> None:
    named = set(re.findall(r"\(tests/promises/(\w+\.py)\)", README))
    there = {path.name for path in (ROOT / "tests/promises").glob("test_*.py")}
    assert named == there


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(re.findall(r"\]\(([\w-]+\.md)\)", index))


@pytest.mark.parametrize("page", DECISIONS, ids=_name)
def test_a_decision_is_short_weighs_its_options_and_speaks_of_security(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 50
    assert re.search(r"^## Options", text, re.MULTILINE)
    assert "\n## Decision\n" in text
    assert "\n## Security\n" in text


def test_every_decision_is_in_their_index() -> None:
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    assert {page.name for page in DECISIONS} == set(re.findall(r"\((0[\w-]+\.md)\)", index))


def test_the_exit_codes_of_the_readme_are_those_of_the_program() -> None:
    table = README.partition("## Exit codes")[2].partition("\n## ")[0]
    named = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    families = (BusyError, ConfigurationError, IntegrityError, RefusedError, UnavailableError)
    ours = {value for value in vars(exit_codes).values() if isinstance(value, int)}
    assert named == {*ours, *(family.exit_code for family in families)}


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z]+)", README)) <= targets


def test_make_alone_lists_every_target() -> None:
    told = subprocess.run(
        ("make", "-s", "--no-print-directory"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    targets = re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE)
    assert re.findall(r"^([a-z]+) ", told.stdout, re.MULTILINE) == targets


def test_the_verbs_of_the_readme_and_the_changelog_exist() -> None:
    command = (sys.executable, "-m", "runner", "--help")
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    verbs = set(re.findall(r"(?:`|bin/)runner ([a-z]+)", README + changes))
    assert verbs
    assert {verb for verb in verbs if not re.search(rf"\b{verb}\b", told)} == set()


def test_every_job_type_that_ships_is_described() -> None:
    allowlist = yaml.safe_load((ROOT / "configs/job_allowlist.yaml").read_text(encoding="utf-8"))
    page = (ROOT / "docs/job-types.md").read_text(encoding="utf-8")
    assert {name for name in allowlist["jobs"] if f"`{name}`" not in page} == set()
