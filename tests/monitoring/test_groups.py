from typing import Any

import yaml

from proxy.monitoring.groups import Alert, Group, Recording

LONG = "On {{ $value }} of the replicas " + "something is wrong, and this is told at some length " * 4
ALERT = Alert(
    "TidegateBreakerOpen", "page", 'a{b="c d"}\nand\ne > 0.5', "1m", "It is open", LONG.strip(), {"sign": "x"}
)


def read(group: Group, job: str = "") -> Any:
    (read,) = yaml.safe_load("\n".join(group.written("https://docs.example.com/runbooks/", job)))
    return read


def test_rules_are_read_as_they_were_meant() -> None:
    group = Group("some", "What they are about.", (Recording("a:b:sum", "sum(b)"), ALERT), "2m")
    assert read(group) == {
        "name": "some",
        "interval": "2m",
        "rules": [
            {"record": "a:b:sum", "expr": "sum(b)"},
            {
                "alert": "TidegateBreakerOpen",
                "expr": 'a{b="c d"}\nand\ne > 0.5',
                "for": "1m",
                "labels": {"severity": "page", "sign": "x"},
                "annotations": {
                    "summary": "It is open",
                    "description": LONG.strip(),
                    "runbook_url": "https://docs.example.com/runbooks/breaker-open.md",
                },
            },
        ],
    }


def test_an_alert_that_holds_at_once_has_no_for_and_a_group_without_a_pace_takes_the_servers() -> None:
    alert = Alert("TidegateAbsent", "page", "absent(up)", "", "s", "d")
    group = read(Group("some", "", (alert,)))
    assert "interval" not in group
    assert "for" not in group["rules"][0]


def test_every_rule_carries_the_job() -> None:
    group = read(Group("some", "", (Recording("a:b:sum", "sum(b)"), ALERT)), "shop")
    assert [rule["labels"].get("job") for rule in group["rules"]] == ["shop", "shop"]


def test_a_comment_is_one_however_long_it_is() -> None:
    lines = list(Group("some", "word " * 60, ()).written("x", ""))
    assert [line[0] for line in lines if "word" in line] == ["#"] * 3


def test_expressions_stand_line_by_line() -> None:
    lines = list(Group("some", "", (ALERT,)).written("x", ""))
    assert '        a{b="c d"}' in lines
    assert "        and" in lines


def test_a_runbook_is_named_after_its_alert() -> None:
    assert ALERT.runbook == "breaker-open.md"
