"""The last calls and changes, for readers with a cursor."""

from proxy.edge.observe.recent import Kept, Recent


def line(request_id: str, status: int) -> bytes:
    return b'{"event":"call","request_id":"%b","status":%d}\n' % (request_id.encode(), status)


def test_a_reader_gets_what_it_has_not_seen_yet() -> None:
    kept = Kept(3)
    for text in (b"a", b"b"):
        kept.add(text)
    seen = kept.total
    kept.add(b"c")
    assert (kept.since(0, 10), kept.since(seen, 10), kept.since(3, 10)) == ([b"a", b"b", b"c"], [b"c"], [])


def test_the_oldest_go_and_a_reader_that_was_away_gets_those_that_are_left() -> None:
    kept = Kept(2)
    for text in (b"a", b"b", b"c", b"d"):
        kept.add(text)
    assert (kept.total, kept.since(1, 10), kept.since(0, 1)) == (4, [b"c", b"d"], [b"d"])


def test_another_bound_keeps_the_latest_and_the_cursor() -> None:
    recent = Recent(4)
    for number in range(4):
        recent.calls.add(line(f"r{number}", 200))
    calls = recent.calls
    recent.resize(2)
    assert (recent.calls is calls, calls.total) == (True, 4)
    assert calls.since(0, 10) == [line("r2", 200), line("r3", 200)]
    recent.resize(0)
    assert calls.since(0, 10) == []


def test_the_latest_call_with_an_id_is_found() -> None:
    recent = Recent(5)
    for request_id, status in (("a", 500), ("ab", 404), ("a", 200)):
        recent.calls.add(line(request_id, status))
    assert recent.find("a") == line("a", 200)
    assert (recent.find("b"), recent.find("")) == (None, None)
