"""YAML files become plain values with their lines, or one sentence about what is wrong."""

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.errors import ConfigError
from proxy.edge.documents import MAX_BYTES, Document, KeyPath, parse_document, read_document, shown_path


def problems(raw: bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_document(raw, "f.yaml")
    return caught.value.problems


def test_scalars_are_what_people_mean_by_them() -> None:
    raw = b"a: 1\nb: off\nc: [yes, ~, 2.5, -3]\nd: {x: 250ms, y: '1', z: \"off\"}\n"
    assert parse_document(raw, "f.yaml").data == {
        "a": 1, "b": False, "c": [True, None, 2.5, -3], "d": {"x": "250ms", "y": "1", "z": "off"},
    }  # fmt: skip


@pytest.mark.parametrize("text", ["2026-11-20", "010", "0x1F", "10:30", "1e3", ".inf", ".nan", "9" * 40])
def test_what_yaml_would_turn_into_something_surprising_stays_text(text: str) -> None:
    assert parse_document(f"a: {text}".encode(), "f.yaml").data == {"a": text}


def test_keys_are_text_even_where_they_look_like_words_of_yaml() -> None:
    assert parse_document(b"on: 1\nno: 2\n404: 3", "f.yaml").data == {"on": 1, "no": 2, "404": 3}


def test_each_key_and_entry_knows_its_line() -> None:
    assert parse_document(b"# top\na:\n  b: 1\n  c:\n    - x\n    - {d: 1}\n", "f.yaml").lines == {
        ("a",): 2, ("a", "b"): 3, ("a", "c"): 4, ("a", "c", 0): 5, ("a", "c", 1): 6, ("a", "c", 1, "d"): 6,
    }  # fmt: skip


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse_document(b"\xef\xbb\xbfa: 1", "f.yaml").data == {"a": 1}


@pytest.mark.parametrize(
    ("raw", "start"),
    [
        (b"", "f.yaml:1: (file): is empty"),
        (b"# a comment\n", "f.yaml:1: (file): is empty"),
        (b"- a\n", "f.yaml:1: (file): must be a mapping"),
        (b"just words\n", "f.yaml:1: (file): must be a mapping"),
        (b"a: 1\nb: 2\na: 3\n", "f.yaml:3: a: stands here twice, first on line 1"),
        (b"a:\n  b: 1\n  b: 2\n", "f.yaml:3: a.b: stands here twice, first on line 2"),
        (b"a: 1\n---\nb: 2\n", "f.yaml:2: (file): holds a second document"),
        (b"a: 1\nb: &x 2\n", "f.yaml:2: b: uses a YAML anchor or alias"),
        (b"a: {b: 1}\nc: *x\n", "f.yaml:2: c: uses a YAML anchor or alias"),
        (b"a: !!python/object/apply:os.system [ls]\n", "f.yaml:1: a: uses a YAML tag"),
        (b"a: !!binary aGVsbG8=\n", "f.yaml:1: a: uses a YAML tag"),
        (b"? [a, b]\n: 1\n", "f.yaml:1: (file): has a key that is a list or a mapping"),
        (b"a:\n\tb: 1\n", "f.yaml:2: (file): is not valid YAML: a tab"),
        (b"a: b: c\n", "f.yaml:1: (file): is not valid YAML"),
        (b"a: [1, 2\n", "f.yaml:2: (file): is not valid YAML"),
        (b"a: 'x\n", "f.yaml:2: (file): is not valid YAML"),
        (b"a: 1\nb: caf\xe9\n", "f.yaml:2: (file): is not UTF-8"),
        ("a: 1\n".encode("utf-16"), "f.yaml:1: (file): is not UTF-8"),
        (b"a: 1\nb: \x00\n", "f.yaml:2: (file): holds a control character"),
        (b"\x7fELF\x02\x01", "f.yaml:1: (file): holds a control character"),
        (b"[" * 100_000, "f.yaml:1: [0][0][0][0]: is nested deeper than 32 levels"),
        (b"{a: " * 100_000, "f.yaml:1: a.a.a.a: is nested deeper than 32 levels"),
        (b"a: " + b"x" * MAX_BYTES, "f.yaml:1: (file): is larger than 1 MiB"),
    ],
)
def test_what_is_no_plain_mapping_is_one_sentence_with_its_place(raw: bytes, start: str) -> None:
    (problem,) = problems(raw)
    assert problem.startswith(start)


def test_every_duplicate_is_told() -> None:
    assert len(problems(b"a: 1\na: 2\nb: 1\nb: 2\n")) == 2


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "\n".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60))
    assert len(problems(b"a0: &a0 [x]\n" + bomb.encode())) == 1


def test_values_are_never_repeated() -> None:
    assert "sk_test_example" not in problems(b"token: 'sk_test_example\n")[0]
    assert "sk_test_example" not in problems(b"token: sk_test_example: x\n")[0]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ((), "(file)"),
        (("providers", "stripe", "rate_limit", "limits", 0), "providers.stripe.rate_limit.limits[0]"),
        (("a\nb", "c"), "(?).c"),
        (("x" * 80,), "(?)"),
        (("p", "credential", "token"), "p.credential.token"),
        (("p", "credential", "token:sk_test_example"), "p.credential.(?)"),
        (("p", "credential", "sk_test_1234567890"), "p.credential.(?)"),
    ],
)
def test_a_path_shows_keys_and_hides_what_looks_like_a_value(path: KeyPath, shown: str) -> None:
    assert shown_path(path) == shown


def test_a_file_is_read_and_named_as_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_bytes(b"a: 1\n")
    assert read_document(file) == Document(str(file), {"a": 1}, {("a",): 1})
    assert read_document(file, "other").file == "other"


def test_a_missing_file_and_a_directory_say_so(tmp_path: Path) -> None:
    for path, text in ((tmp_path / "none.yaml", "does not exist"), (tmp_path, "is a directory")):
        with pytest.raises(ConfigError) as caught:
            read_document(path)
        assert caught.value.problems[0].startswith(f"{path}:1: (file): {text}")


@pytest.mark.parametrize(
    ("error", "text"), [(PermissionError(), "may not be read by this user"), (OSError(5, "I/O error"), "I/O error")]
)
def test_a_file_that_the_system_refuses_says_why(
    error: OSError, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> io.BytesIO:
        raise error

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError) as caught:
        read_document(tmp_path / "t.yaml")
    assert text in caught.value.problems[0]


def test_a_line_break_in_a_file_name_does_not_break_the_problem_in_two(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_document(tmp_path / "a\nb.yaml")
    assert "\n" not in caught.value.problems[0]


@given(st.binary(max_size=300) | st.text(alphabet="abc:{}[],-? &*!|>'\"%#\n\t~", max_size=60).map(str.encode))
def test_no_bytes_raise_anything_but_problems(raw: bytes) -> None:
    told: list[str] = []
    try:
        parse_document(raw, "f.yaml")
    except ConfigError as error:
        told = error.problems
    assert all(line.startswith("f.yaml:") and "\n" not in line for line in told)


@pytest.mark.parametrize("raw", [b"# nothing\n", b"- x\n"])
def test_a_file_that_holds_nothing_of_use_is_told_what_it_could_hold(raw: bytes) -> None:
    assert problems(raw)[0].endswith(" providers: {mock: {}}")
    with pytest.raises(ConfigError, match=r" retry: off$"):
        parse_document(raw, "f.yaml", "retry: off")
