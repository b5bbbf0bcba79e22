import pytest

from proxy.core.call import Call
from proxy.core.errors import BadRequest, UnknownAccount
from proxy.edge.listener.steering import require_account, steer
from tests.support.script import make_call


def steered(*lines: str) -> Call:
    call = make_call(provider="acme")
    steer(call, [(name.encode(), value.encode("latin-1")) for name, value in (line.split(": ") for line in lines)])
    return call


def test_a_deadline_counts_from_the_arrival_of_the_request() -> None:
    call = steered("TIDEGATE-timeout: 1.5s")
    assert call.deadline_at == call.record.started_at + 1.5


def test_retries_can_be_switched_off() -> None:
    assert not steered("Tidegate-Retry: off").retry
    assert steered().retry


@pytest.mark.parametrize("line", ["Tidegate-Priority: interactive", "tidegate-priority: batch", "Tidegate-Cache: off"])
def test_what_nothing_acts_on_yet_is_taken_all_the_same(line: str) -> None:
    call = steered(line)
    assert (call.deadline_at, call.retry, call.account) == (float("inf"), True, None)


@pytest.mark.parametrize(
    "line",
    [
        "Tidegate-Timeout: 5", "Tidegate-Timeout: soon", "Tidegate-Timeout: 0s", "Tidegate-Timeout: -1s",
        "Tidegate-Retry: on", "Tidegate-Retry: ", "Tidegate-Priority: nonsense", "Tidegate-Priority: Batch",
        "Tidegate-Cache: on",
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_the_name_of_its_field(line: str) -> None:
    name, _, value = line.partition(": ")
    with pytest.raises(BadRequest) as raised:
        steered(line)
    assert raised.value.detail.startswith(name)
    assert len(value) < 3 or value not in raised.value.detail


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Tidegate-Retyr", "Tidegate-Retry"), ("tidegate-retries", "Tidegate-Retry"),
        ("Tidegate-Deadline-Timeout", "Tidegate-Timeout"), ("Tidegate-Prio", "Tidegate-Priority"),
        ("tidegate-acount", "Tidegate-Account"), ("Tidegate-NoCache", "Tidegate-Cache"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_refused_with_the_nearest_known_one(written: str, meant: str) -> None:
    with pytest.raises(BadRequest) as raised:
        steered(f"{written}: off")
    assert raised.value.detail.endswith(f" {meant}")


@pytest.mark.parametrize("name", ["tidegate-", "tidegate-" + "\xff" * 16_000])
def test_however_odd_a_name_is_some_known_one_is_nearest(name: str) -> None:
    call = make_call()
    with pytest.raises(BadRequest, match="nearest known one is Tidegate-"):
        steer(call, [(name.encode("latin-1"), b"1")])


def test_a_wish_is_made_once() -> None:
    with pytest.raises(BadRequest, match="Tidegate-Retry stands twice"):
        steered("Tidegate-Retry: off", "tidegate-retry: off")


def test_an_account_of_the_provider_is_chosen() -> None:
    call = make_call()
    steer(call, [(b"Tidegate-Account", b"eu")], ("eu", "us"))
    assert call.account == "eu"
    require_account(call, ("eu", "us"))


def test_an_unknown_account_is_refused_with_the_known_ones_and_not_repeated() -> None:
    call = make_call()
    with pytest.raises(UnknownAccount) as raised:
        steer(call, [(b"Tidegate-Account", b"asia")], ("eu", "us"))
    assert raised.value.detail == "Tidegate-Account names no account of this provider; name one of eu, us"
    assert (raised.value.status, call.account) == (400, None)


def test_an_account_where_there_are_none_is_refused() -> None:
    with pytest.raises(UnknownAccount, match="no accounts are configured for acme"):
        steered("Tidegate-Account: eu")


def test_a_provider_that_has_accounts_only_asks_for_one() -> None:
    with pytest.raises(UnknownAccount, match=r"is missing.*name one of eu"):
        require_account(make_call(), ("eu",))
