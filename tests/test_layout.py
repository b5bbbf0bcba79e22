"""Pages are 100 columns wide, texts stand in one column, and what is to be copied stays in one piece."""

from proxy.layout import WIDTH, bullets, labelled, section, table, verbatim

LONG = " ".join(["word"] * 60)
URL = f"https://example.com/{'a' * 150}"


def test_labels_and_texts_stand_in_columns() -> None:
    assert list(labelled([("a", "one"), ("longer", "two")])) == ["  a       one", "  longer  two"]


def test_a_row_without_text_is_left_out() -> None:
    assert list(labelled([("a", ""), ("b", "two")])) == ["  b  two"]
    assert list(labelled([("a", "")])) == []


def test_a_label_is_written_once_for_all_its_rows() -> None:
    assert list(labelled([("a", "one"), ("a", "two"), ("b", "x")])) == ["  a  one", "     two", "  b  x"]


def test_long_texts_are_wrapped_beneath_themselves() -> None:
    lines = list(labelled([("label", LONG)]))
    assert all(len(line) <= WIDTH for line in lines)
    assert all(line.startswith(" " * 9 + "word") for line in lines[1:])
    assert " ".join(lines).split() == ["label", *LONG.split()]


def test_a_url_is_never_broken() -> None:
    assert URL in "\n".join(labelled([("docs", f"see {URL} for more")]))


def test_points_of_a_list_hang() -> None:
    first, second, *_ = bullets([LONG])
    assert (first[:4], second[:4]) == ("  - ", "    ")
    assert len(list(bullets(["a", "b"]))) == 2


def test_what_is_copied_keeps_its_lines() -> None:
    assert list(verbatim(f"a:\n  {LONG}")) == ["    a:", f"      {LONG}"]


def test_a_section_without_lines_has_no_title() -> None:
    assert list(section("Title", [])) == []
    assert list(section("Title", ["a"])) == ["", "Title", "a"]


def test_cells_stand_in_columns_and_are_cut_at_the_widest() -> None:
    assert list(table([("NAME", "B"), ("a", "abcdef"), ("b", "")], (10, 4))) == ["NAME  B", "a     abc…", "b"]
