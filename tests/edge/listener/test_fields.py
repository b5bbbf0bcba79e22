from proxy.edge.listener.fields import LONGEST_BYTES, MOST, Kinds


def upper(name: bytes) -> bytes:
    return name.upper()


def test_a_name_is_judged_in_lower_case_and_once() -> None:
    asked: list[bytes] = []

    def judge(name: bytes) -> int:
        asked.append(name)
        return len(name)

    kinds = Kinds(judge)
    assert [kinds[b"X-A"], kinds[b"X-A"], kinds[b"x-a"]] == [3, 3, 3]
    assert asked == [b"x-a", b"x-a"]


def test_no_more_names_are_remembered_than_there_is_room_for() -> None:
    kinds = Kinds(upper)
    for number in range(MOST + 10):
        assert kinds[b"x-%d" % number] == b"X-%d" % number
    assert len(kinds) == MOST


def test_long_names_are_judged_each_time_and_not_kept() -> None:
    kinds = Kinds(upper)
    assert kinds[b"x" * (LONGEST_BYTES + 1)] == b"X" * (LONGEST_BYTES + 1)
    assert len(kinds) == 0
    assert kinds[b"x" * LONGEST_BYTES] == b"X" * LONGEST_BYTES
    assert len(kinds) == 1
