"""Lines that hold one another, and what a reader finds when somebody has been at them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.secret import Secret
from proxy.sansio.chain import BEGINNING, Digest, Follower, Link, add, sha256, try_entry, try_last

KEY = Secret("sk_test_example").sign


def chain(count: int, digest: Digest = sha256, before: Link = BEGINNING) -> list[bytes]:
    lines, link = [], before
    for number in range(count):
        record = b'{"ts":"2027-01-15T08:00:%02dZ","run":"r1","n":%d}' % (number % 60, number)
        line, link = add(link, record, digest, {})
        lines.append(line)
    return lines


def follow(lines: list[bytes], *digests: Digest) -> Follower:
    follower = Follower(digests or (sha256,))
    for number, line in enumerate(lines, 1):
        follower.read(line, f"audit:{number}")
    follower.finish()
    return follower


def found(lines: list[bytes], *digests: Digest) -> list[str]:
    return follow(lines, *digests).findings.first


def test_a_line_is_json_with_number_links_marks_record_and_hash_in_that_order() -> None:
    line, link = add(Link(6, "ab" * 32), b'{"event":"call"}', sha256, {"lost": 3})
    assert list(json.loads(line)) == ["seq", "prev", "lost", "event", "hash"]
    assert json.loads(line) == {"seq": 7, "prev": "ab" * 32, "lost": 3, "event": "call", "hash": link.hash}
    covered = b'{"seq":7,"prev":"%b","lost":3,"event":"call"' % (b"ab" * 32)
    assert link == Link(7, sha256(covered).hex())
    entry = try_entry(line)
    assert entry is not None
    assert (entry.link, entry.prev, entry.covered) == (link, "ab" * 32, covered)


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"{}\n", b'{"seq":0}\n', chain(1)[0][:-1], b" " + chain(1)[0], chain(1)[0][1:]]
)
def test_anything_else_is_no_line(line: bytes) -> None:
    assert try_entry(line) is None


def test_the_end_of_a_log_is_found_behind_a_torn_line() -> None:
    lines = chain(3)
    last = try_entry(lines[-1])
    assert last is not None
    whole = b"".join(lines)
    assert try_last(whole) == (last.link, 0)
    assert try_last(whole + b"to\nrn") == (last.link, 5)
    assert try_last(whole[20:]) == (last.link, 0)
    assert try_last(b"nothing\nof ours\n") is None


def test_a_whole_chain_has_no_finding_and_tells_what_it_holds() -> None:
    follower = follow(chain(5))
    assert (follower.findings.first, follower.gaps.first, follower.records) == ([], [], 5)
    assert (follower.runs, follower.first, follower.last) == ({"r1"}, "2027-01-15T08:00:00Z", "2027-01-15T08:00:04Z")
    assert follower.link.seq == 5


@given(st.integers(0, 9), st.data())
@settings(max_examples=200)
def test_no_byte_of_a_line_can_be_changed(place: int, data: st.DataObject) -> None:
    lines = chain(10, KEY)
    line = lines[place]
    at = data.draw(st.integers(0, len(line) - 2))
    other = data.draw(st.integers(32, 126).filter(lambda code: code != line[at]))
    lines[place] = line[:at] + bytes([other]) + line[at + 1 :]
    assert found(lines, KEY)


@given(st.permutations(range(6)).filter(lambda order: list(order) != sorted(order)))
def test_no_order_but_the_own_one_holds(order: list[int]) -> None:
    lines = chain(6)
    assert found([lines[place] for place in order])


@given(st.sets(st.integers(1, 8), min_size=1))
def test_nothing_can_be_taken_out_of_the_middle(gone: set[int]) -> None:
    assert found([line for place, line in enumerate(chain(10)) if place not in gone])


def test_each_kind_of_damage_has_its_sentence() -> None:
    lines = chain(5)
    changed = lines[2].replace(b'"n":2', b'"n":7')
    forged, _ = add(Link(2, try_entry(lines[1]).link.hash), b'{"n":7}', sha256, {})  # type: ignore[union-attr] # a line
    hashed = "the record was changed, or hashed without the key: its hash does not fit"
    assert found([*lines[:2], changed, *lines[3:]]) == [f"audit:3: {hashed}"]
    assert found([*lines[:2], *lines[3:]]) == ["audit:3: before it, record 3 is missing: removed"]
    assert found([*lines[:1], *lines[3:]]) == ["audit:2: before it, records 2 to 3 are missing: removed"]
    assert found([*lines[:2], forged, *lines[3:]]) == [
        "audit:4: does not follow the record before, which was changed or replaced"
    ]
    assert found([*lines, lines[1]]) == ["audit:6: record 2 stands behind record 5: moved, or put in"]
    assert found([*lines[:2], b'{"n":7}\n', *lines[2:]]) == ["audit:3: no record of this log: put in, or damaged"]


def test_a_key_can_not_be_done_without() -> None:
    assert len(found(chain(3), KEY)) == 3
    assert len(found(chain(3, KEY))) == 3
    assert found(chain(3, KEY), sha256, KEY) == []


def test_records_under_the_old_key_and_the_new_one_are_both_good() -> None:
    new = Secret("sk_test_new").sign
    old_lines = chain(2, KEY)
    last = try_entry(old_lines[-1])
    assert last is not None
    assert found([*old_lines, *chain(2, new, last.link)], new, KEY) == []


def vouching(lines: list[bytes], torn: bytes, **marks: object) -> bytes:
    last = try_entry(lines[-1])
    assert last is not None
    return add(last.link, b'{"n":9}', sha256, {"torn": len(torn), "torn_sha256": sha256(torn).hex(), **marks})[0]


def test_a_torn_line_is_accepted_where_the_next_record_vouches_for_exactly_that() -> None:
    lines, torn = chain(2), b'{"seq":3,"pr\n'
    good = vouching(lines, torn)
    follower = follow([*lines, torn, good])
    assert follower.findings.count == 0
    assert follower.gaps.first == ["audit:4: 13 bytes before it are torn: a process was killed, or the disk full"]
    stranger = "audit:3: no record of this log: put in, or damaged"
    assert found([*lines, b'{"seq":3,"pR\n', good]) == [stranger]
    assert found([*lines, torn, torn, good]) == [stranger, stranger.replace("3", "4")]
    assert found([*lines, good]) == ["audit:3: 13 torn bytes before it are missing"]
    assert found([*lines, torn, vouching(lines, torn, torn_sha256="ab")]) == [stranger]


def test_a_mark_of_loss_is_a_gap_and_no_finding() -> None:
    line, _ = add(BEGINNING, b'{"n":1}', sha256, {"lost": 12})
    follower = follow([line])
    assert (follower.findings.count, follower.gaps.count) == (0, 1)
    assert follower.gaps.first[0].startswith("audit:1: 12 records before it were lost")


def test_a_chain_that_begins_later_has_lost_its_older_parts_and_is_whole() -> None:
    follower = follow(chain(5)[2:])
    assert (follower.findings.count, follower.records) == (0, 3)
    assert follower.gaps.first == ["audit:1: begins with record 3; the parts before are not here"]


def test_a_line_without_an_end_is_no_finding_where_it_is_the_last() -> None:
    follower = follow([*chain(2), b'{"seq":3'])
    assert (follower.findings.count, follower.unfinished) == (0, 8)


def test_a_file_of_something_else_costs_no_memory() -> None:
    follower = follow([b"x\n"] * 10_000)
    assert len(follower.findings.first) == 100
    follower = follow(chain(500, KEY))
    assert (follower.findings.count, len(follower.findings.first)) == (500, 100)
