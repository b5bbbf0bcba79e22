"""What becomes of the header fields of answers."""

from proxy.edge.listener.kinds import Kind, kinds_with


def test_fields_that_may_hold_urls_are_told_apart_only_where_they_are_named() -> None:
    kinds = kinds_with(frozenset((b"link", b"x-next")))
    assert [kinds[name] for name in (b"Link", b"X-NEXT", b"x-nextt", b"Upgrade")] == [
        Kind.URL, Kind.URL, Kind.KEEP, Kind.DROP,
    ]  # fmt: skip
    assert kinds_with(frozenset())[b"Link"] is Kind.KEEP


def test_no_profile_can_bring_back_a_field_that_must_not_pass() -> None:
    assert kinds_with(frozenset((b"connection", b"content-length")))[b"Connection"] is Kind.CONNECTION


def test_providers_with_the_same_fields_share_a_table() -> None:
    assert kinds_with(frozenset((b"link",))) is kinds_with(frozenset((b"link",)))
