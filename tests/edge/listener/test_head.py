import pytest

from proxy.core.call import Headers
from proxy.core.errors import BadRequest
from proxy.edge.listener.head import KINDS, Kind, RequestHead

HOST = (b"Host", b"localhost")


def test_what_has_no_meaning_of_its_own_is_forwarded_in_order_case_and_number() -> None:
    sent: Headers = [
        (b"x-a", b"1"), (b"Accept", b"*/*"), (b"X-A", b"2"), (b"AUTHORIZATION", b"Bearer sk_test_example"),
        (b"Cookie", b"a=1"), (b"x-a", b"1"), (b"X-Odd", b"\xff \t'\""), (b"X-Empty", b""), (b"user_agent", b"x"),
    ]  # fmt: skip
    assert RequestHead([*sent, HOST]).headers == sent


@pytest.mark.parametrize(
    "name",
    [b"Connection", b"Keep-Alive", b"Proxy-Connection", b"Proxy-Authorization", b"TE", b"Upgrade", b"HTTP2-Settings"],
)
def test_a_hop_by_hop_field_stays_here(name: bytes) -> None:
    for spelled in (name, name.lower(), name.upper()):
        assert RequestHead([(spelled, b"close"), (b"X-A", b"1")]).headers == [(b"X-A", b"1")]


def test_a_field_named_by_connection_stays_here_wherever_it_stands() -> None:
    head = RequestHead([(b"X-Hop", b"1"), (b"Connection", b"close, X-HOP ,"), (b"x-hop", b"2"), (b"X-Stay", b"3")])
    assert head.headers == [(b"X-Stay", b"3")]


def test_close_and_keep_alive_name_no_field() -> None:
    head = RequestHead([(b"Connection", b"close"), (b"Connection", b"Keep-Alive"), (b"Close", b"1")])
    assert head.headers == [(b"Close", b"1")]


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "HOST", "Authorization"])
def test_connection_must_not_name_a_field_on_which_the_message_hangs(name: str) -> None:
    with pytest.raises(BadRequest, match="not hop-by-hop"):
        RequestHead([HOST, (b"Connection", f"close, {name}".encode())])


def test_host_is_told_and_not_forwarded() -> None:
    head = RequestHead([HOST, (b"X-A", b"1")])
    assert (head.host, head.headers) == (b"localhost", [(b"X-A", b"1")])
    assert RequestHead([]).host is None


def test_a_second_host_is_refused_even_when_it_is_the_same() -> None:
    with pytest.raises(BadRequest, match="more than one Host"):
        RequestHead([HOST, HOST])


def test_content_length_is_told_and_forwarded() -> None:
    head = RequestHead([(b"Content-Length", b"0012")])
    assert (head.length, head.chunked, head.headers) == (12, False, [(b"Content-Length", b"0012")])


def test_chunks_are_told_and_forwarded() -> None:
    head = RequestHead([(b"Transfer-Encoding", b"Chunked")])
    assert (head.length, head.chunked, head.headers) == (None, True, [(b"Transfer-Encoding", b"Chunked")])


LENGTH, CHUNKED = (b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")


@pytest.mark.parametrize("fields", [[LENGTH, LENGTH], [LENGTH, CHUNKED], [CHUNKED, LENGTH], [CHUNKED, CHUNKED]])
def test_a_second_framing_is_refused_even_when_it_agrees(fields: Headers) -> None:
    with pytest.raises(BadRequest, match="more than once"):
        RequestHead(fields)


@pytest.mark.parametrize("value", [b"+3", b"-3", b"3, 3", b"0x3", b"3.0", b"", b"3 3", b"\xb2", b"1_0", "٣".encode()])
def test_a_content_length_of_anything_but_digits_is_refused(value: bytes) -> None:
    with pytest.raises(BadRequest, match="no number"):
        RequestHead([(b"Content-Length", value)])


@pytest.mark.parametrize(
    "value", [b"gzip", b"gzip, chunked", b"chunked, chunked", b"identity", b"", b"x", b"chunked;a"]
)
def test_an_encoding_other_than_plain_chunks_is_refused(value: bytes) -> None:
    with pytest.raises(BadRequest, match="other than chunked"):
        RequestHead([(b"Transfer-Encoding", value)])


@pytest.mark.parametrize(
    "name",
    [
        b"Content_Length", b"content_length", b"Transfer_Encoding", b"Transfer_encoding", b"X_Api_Key", b"Api_Key",
        b"Proxy_Authorization", b"Keep_Alive", b"X_Request_Id", b"Tidegate_Retry", b"TIDEGATE_x", b"Sec_Fetch_Site",
    ],
)  # fmt: skip
def test_a_name_that_collides_once_its_underscore_is_a_hyphen_is_refused(name: bytes) -> None:
    with pytest.raises(BadRequest, match="underscore"):
        RequestHead([(name, b"1")])


def test_steering_fields_are_set_apart() -> None:
    head = RequestHead([(b"Tidegate-Retry", b"off"), (b"X-A", b"1"), (b"tidegate-unheard-of", b"2")])
    assert head.steering == [(b"Tidegate-Retry", b"off"), (b"tidegate-unheard-of", b"2")]
    assert head.headers == [(b"X-A", b"1")]


@pytest.mark.parametrize("name", [b"Origin", b"origin", b"Sec-Fetch-Site"])
def test_a_browser_page_gives_itself_away(name: bytes) -> None:
    assert RequestHead([(name, b"null")]).browser


def test_what_programs_send_too_is_no_sign_of_a_browser() -> None:
    head = RequestHead([(b"Sec-Fetch-Mode", b"cors"), (b"User-Agent", b"Mozilla/5.0"), (b"Referer", b"http://x/")])
    assert not head.browser
    assert len(head.headers) == 3


def test_the_callers_own_id_and_expectation_and_trace_are_told_and_forwarded() -> None:
    sent = [(b"X-Request-ID", b"r-1"), (b"Expect", b"100-continue"), (b"traceparent", b"t"), (b"baggage", b"b")]
    head = RequestHead(sent)
    assert (head.request_id, head.expects, head.traced, head.headers) == (b"r-1", True, True, sent)


def test_a_plain_request_expects_and_steers_nothing() -> None:
    head = RequestHead([HOST])
    assert (head.request_id, head.expects, head.traced, head.browser) == (None, False, False, False)
    assert (head.length, head.chunked, head.steering, head.headers) == (None, False, [], [])


def test_a_name_is_judged_the_same_the_second_time() -> None:
    for _ in range(2):
        assert KINDS[b"X-Never-Seen-Before"] is Kind.KEEP
        assert KINDS[b"CONTENT-LENGTH"] is Kind.LENGTH
