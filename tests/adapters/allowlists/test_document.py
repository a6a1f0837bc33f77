"""Reading YAML strictly, with the line of everything that is wrong."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.adapters.allowlists.document import MAX_BYTES, read_document
from runner.errors import ConfigurationError
from runner.model.problem import Problem


def written(folder: Path, content: str | bytes) -> Path:
    """A file with that content."""
    file = folder / "x.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def refusal_of(file: Path) -> ConfigurationError:
    """The error that reading ``file`` gives."""
    with pytest.raises(ConfigurationError) as refusal:
        read_document(file)
    return refusal.value


def test_it_keeps_the_exact_bytes_and_the_line_of_every_key(tmp_path: Path) -> None:
    text = "a: 1\nb:\n  - x\n  - y: true\n"
    document = read_document(written(tmp_path, text))
    assert document.raw == text.encode()
    assert document.content == {"a": 1, "b": ["x", {"y": True}]}
    assert document.lines[("a",)] == 1
    assert document.lines[("b", 0)] == 3
    assert document.lines[("b", 1, "y")] == 4


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("NO", "NO"),
        ("True", "True"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("''", ""),
        ("", None),
        ("'1'", "1"),
        ("017", "017"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("2024-01-01", "2024-01-01"),
        ("-7", -7),
        ("9" * 5000, "9" * 5000),
        ("=", "="),
        ("|\n  text\n", "text\n"),
    ],
)
def test_a_scalar_is_what_json_would_make_of_it_or_text(
    tmp_path: Path, scalar: str, value: object
) -> None:
    content = read_document(written(tmp_path, f"a: {scalar}\n")).content
    assert content == {"a": value}
    assert type(content["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "empty"),
        ("# only a comment\n", 1, "empty"),
        ("---\n", 2, "no mapping"),
        ("- a\n", 1, "no mapping"),
        ("\ntext\n", 2, "no mapping"),
        ("a: 1\nb: [\n", 3, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("a: 1\nb: c: d\n", 2, "not YAML"),
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a': stands twice, first on line 1"),
        ("a:\n  b:\n    c: 1\n    d: 2\n    c: 3\n", 5, "key 'a.b.c': stands twice"),
        ("a:\n  - b: 1\n    b: 2\n", 3, "key 'a[0].b': stands twice"),
        ("a: 1\n'a': 2\n", 2, "key 'a': stands twice"),
        ("a: &x 1\n", 1, "anchors"),
        ("a: 1\nb: *x\n", 2, "aliases"),
        ("a: 1\nb: {<<: {c: 1}}\n", 2, "merge keys"),
        ("a: 1\nb: !!python/object/apply:os.system [id]\n", 2, "tags"),
        ("a: !!str 1\n", 1, "tags"),
        ("!x\na: 1\n", 1, "tags"),
        ("a: 1\n---\nb: 1\n", 2, "second document"),
        ("a: 1\n? [b]\n: 1\n", 2, "no plain text"),
        ("a: 1\nb: \x07\n", 2, "character"),
        ("a: " + "[" * 100_000, 1, "nested more than"),
        ("a: " + "{b: " * 50 + "1" + "}" * 50, 1, "nested more than"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_refuses_with_file_and_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    file = written(tmp_path, text)
    refusal = refusal_of(file)
    assert refusal.code == "CONFIG_INVALID"
    assert f"{file}:{line}: " in refusal.args[0]
    assert words in refusal.args[0]


def test_every_duplicate_is_listed_and_not_only_the_first(tmp_path: Path) -> None:
    refusal = refusal_of(written(tmp_path, "a: 1\na: 2\nb: 1\nb: 2\n"))
    assert len(refusal.args[0].splitlines()) == 2


def test_a_bomb_of_aliases_is_refused_without_being_expanded(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert "aliases" in refusal_of(written(tmp_path, "\n".join(rows))).args[0]


def test_a_byte_that_is_no_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    file = written(tmp_path, b"a: 1\nb: \xff\n")
    assert f"{file}:2: got a byte that isn't UTF-8" in refusal_of(file).args[0]


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    assert refusal_of(tmp_path / "none.yaml").code == "CONFIG_MISSING"


def test_a_folder_a_fifo_and_an_endless_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for file in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        assert refusal_of(file).code == "CONFIG_UNREADABLE"


@pytest.mark.needs_ordinary_user
def test_an_unreadable_file_is_called_unreadable(tmp_path: Path) -> None:
    file = written(tmp_path, "a: 1\n")
    file.chmod(0)
    assert refusal_of(file).code == "CONFIG_UNREADABLE"


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    refusal = refusal_of(written(tmp_path, b"#" * (MAX_BYTES + 1)))
    assert "larger than" in refusal.args[0]


def test_a_missing_key_is_reported_on_its_parents_line(tmp_path: Path) -> None:
    document = read_document(written(tmp_path, "a: 1\nb:\n  c: 1\n"))
    where = document.describe(Problem(("b", "d"), "missing"))
    assert where == f"{document.file}:2: key 'b.d': missing"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.text(alphabet="ab:-[]{}#&*!|>'\"\\ \n\t%@,?<=~1", max_size=40) | st.text(max_size=30))
def test_any_text_gives_a_mapping_or_a_configuration_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(ConfigurationError):
        assert isinstance(read_document(file).content, dict)
