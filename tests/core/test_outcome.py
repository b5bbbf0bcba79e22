"""The words of the verdict: a closed list, because logs and metrics are written in them."""

import pytest

from proxy.core.outcome import Outcome


def test_the_verdicts_are_these_and_no_others() -> None:
    words = ["ok", "failed", "throttled", "unauthorised", "exhausted", "refused", "ignored"]
    assert [outcome.value for outcome in Outcome] == words


def test_each_verdict_is_named_by_its_word() -> None:
    assert [outcome.name for outcome in Outcome] == [outcome.value.upper() for outcome in Outcome]


def test_a_word_is_read_back_as_its_verdict() -> None:
    assert Outcome("exhausted") is Outcome.EXHAUSTED
    with pytest.raises(ValueError, match="unauthorized"):
        Outcome("unauthorized")
