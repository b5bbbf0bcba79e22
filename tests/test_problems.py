"""What pydantic finds is said in plain words, once per key, without the value."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from proxy.core.units import Duration, Frozen, Size
from proxy.problems import Finding, findings, known_keys, nearest


class Left(Frozen):
    scheme: Literal["left"]
    token: str


class Right(Frozen):
    scheme: Literal["right"]
    size: int = 1


class Inner(Frozen):
    count: int = Field(1, ge=1, le=9)
    names: tuple[str, ...] = ()
    mode: Literal["a", "b"] = "a"


class Bounded(Frozen):
    wait: Duration = Field(3600.0, ge=60.0)
    part: Size = Field(1024, le=64 * 1024)
    share: float = Field(0.5, lt=100)


class Outer(Frozen):
    bounded: Bounded = Bounded()
    inner: Inner = Inner()
    either: Inner | Literal[False] = False
    by_name: dict[str, Inner] = {}
    tagged: Annotated[Left | Right, Field(discriminator="scheme")] | None = None
    on: bool = False


def found(tree: dict[str, Any]) -> list[Finding]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(tree)
    return findings(caught.value, tree, Outer.model_json_schema())


@pytest.mark.parametrize(
    ("tree", "finding"),
    [
        ({"on": "maybe"}, (("on",), "must be true or false")),
        ({"inner": 3}, (("inner",), "must be a mapping of keys to values")),
        ({"by_name": []}, (("by_name",), "must be a mapping of keys to values")),
        ({"inner": {"count": "x"}}, (("inner", "count"), "must be a whole number")),
        ({"inner": {"count": 1.5}}, (("inner", "count"), "must be a whole number")),
        ({"inner": {"count": 0}}, (("inner", "count"), "must be at least 1")),
        ({"inner": {"count": 10}}, (("inner", "count"), "must be at most 9")),
        ({"bounded": {"wait": "1s"}}, (("bounded", "wait"), "must be at least 1m")),
        ({"bounded": {"part": "1MiB"}}, (("bounded", "part"), "must be at most 64KiB")),
        ({"bounded": {"share": 100}}, (("bounded", "share"), "must be below 100")),
        ({"inner": {"names": "x"}}, (("inner", "names"), "must be a list, such as [a, b]")),
        ({"inner": {"names": ["x", 4]}}, (("inner", "names", 1), "must be text; put it in quotes")),
        ({"inner": {"mode": "c"}}, (("inner", "mode"), "must be 'a' or 'b'")),
        ({"inner": {"cuont": 1}}, (("inner", "cuont"), "unknown key; did you mean count?")),
        ({"inner": {"zzz": 1}}, (("inner", "zzz"), "unknown key; known here: count, mode, names")),
        ({"by_name": {"x": {"nmaes": []}}}, (("by_name", "x", "nmaes"), "unknown key; did you mean names?")),
        ({"either": {"count": "x"}}, (("either", "count"), "must be a whole number")),
        ({"tagged": {"scheme": "left"}}, (("tagged", "token"), "is missing")),
        ({"tagged": {"scheme": "left", "left": 1, "token": "x"}}, (("tagged", "left"), "unknown key; known here: ")),
        ({"tagged": {"scheme": "up"}}, (("tagged",), "has an unknown scheme; write one of 'left', 'right'")),
        ({"tagged": {}}, (("tagged",), "needs a scheme")),
    ],
)
def test_each_problem_is_one_plain_sentence_at_its_key(tree: dict[str, Any], finding: Finding) -> None:
    ((path, text),) = found(tree)
    assert path == finding[0]
    assert text.startswith(finding[1])


def test_a_bad_key_within_a_union_is_told_without_the_other_branch() -> None:
    class Named(Frozen):
        by_name: dict[Annotated[str, Field(min_length=3)], int] = {}

    class Whole(Frozen):
        either: Named | Literal[False] = False

    tree = {"either": {"by_name": {"a": 1}}}
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(tree)
    assert [path for path, _ in findings(caught.value, tree, Whole.model_json_schema())] == [("either", "by_name", "a")]


def test_a_key_named_like_its_own_scheme_does_not_move_the_others() -> None:
    paths = {path for path, _ in found({"tagged": {"scheme": "left", "left": {}}})}
    assert paths == {("tagged", "token"), ("tagged", "left")}


def test_no_problem_repeats_the_value() -> None:
    secret = "sk_test_example"
    tree = {"on": secret, "inner": {"count": secret, "mode": secret, "names": secret}, "tagged": {"scheme": secret}}
    assert secret not in repr(found(tree))


@pytest.mark.parametrize(
    ("word", "near"), [("cuont", "count"), ("COUNT", "count"), ("max-wait", "max_wait"), ("zebra", "")]
)
def test_the_nearest_word_is_offered_if_there_is_one(word: str, near: str) -> None:
    assert nearest(word, ["count", "max_wait"]) == near


def test_the_keys_that_may_stand_at_a_place_are_known() -> None:
    schema = Outer.model_json_schema()
    assert known_keys(schema, ()) == ["bounded", "by_name", "either", "inner", "on", "tagged"]
    assert known_keys(schema, ("by_name", "any")) == ["count", "mode", "names"]
    assert known_keys(schema, ("tagged",)) == ["scheme", "size", "token"]
    assert known_keys(schema, ("on", "deeper")) == []
