"""The dashboard as a whole: what it holds for which configuration, and that Grafana's types know all of it."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import main
from proxy.config import load
from proxy.monitoring.dashboard import render
from proxy.presets import Presets
from proxy.settings import Settings
from tests.support.grafana import mistakes, panels
from tests.support.rules import ROOT

SLO = {"availability": "99.9%", "latency": {"percentile": 95, "under": "800ms"}}


def settings(*names: str, **sections: Any) -> Settings:
    base = {"base_url": "https://api.example.com"}
    return Settings.model_validate({"providers": dict.fromkeys(names, base), **sections})


def told(*names: str, **sections: Any) -> Any:
    return json.loads(render(settings(*(names or ("acme",)), **sections)))


def rows(dashboard: Any) -> list[str]:
    return [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]


def expressions(dashboard: Any) -> str:
    return "\n".join(target["expr"] for panel in panels(dashboard) for target in panel["targets"])


@pytest.mark.parametrize("count", [0, 1, 50])
def test_grafana_knows_all_of_it(count: int) -> None:
    names = (f"p{number}" for number in range(count))
    assert mistakes(json.loads(render(settings(*names, slo=SLO), "https://example.com/runbooks"))) == []


BROKEN: dict[str, Callable[[Any], object]] = {
    "a key of the dashboard": lambda it: it.update(panelz=[]),
    "a key of a panel": lambda it: it["panels"][1].update(colour="red"),
    "a key of a query": lambda it: it["panels"][1]["targets"][0].update(expression="up"),
    "an option": lambda it: it["panels"][1]["options"].update(fancy=True),
    "an option's value": lambda it: it["panels"][1]["options"].update(graphMode="big"),
    "a title's type": lambda it: it["panels"][1].update(title=3),
    "a field's setting": lambda it: it["panels"][1]["fieldConfig"]["defaults"].update(unitt="s"),
    "a unit": lambda it: it["panels"][1]["fieldConfig"]["defaults"].update(unit="parsecs"),
    "a panel's kind": lambda it: it["panels"][1].update(type="stats"),
    "a variable's type": lambda it: it["templating"]["list"][1].update(multi="yes"),
    "an annotation's key": lambda it: it["annotations"]["list"][0].update(colour="red"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_grafana_does_not_know_is_found(what: str) -> None:
    broken = copy.deepcopy(told())
    BROKEN[what](broken)
    assert len(mistakes(broken)) == 1


def test_the_same_configuration_gives_the_same_text() -> None:
    assert render(settings("acme", "globex")) == render(settings("globex", "acme"))


def test_there_is_a_row_for_each_thing_that_an_engineer_asks_after() -> None:
    assert rows(told(slo=SLO)) == [
        "Overview", "Golden signals", "Error budgets", "Breaker and limiter", "Retries", "Own overhead", "Credentials",
        "Sidecars",
    ]  # fmt: skip


def test_without_objectives_there_are_no_budgets_and_the_other_panels_keep_their_numbers() -> None:
    with_slo, without = told(slo=SLO), told()
    assert [title for title in rows(with_slo) if title not in rows(without)] == ["Error budgets"]
    assert "tidegate_slo" not in expressions(without)
    numbers = {panel["title"]: panel["id"] for panel in panels(with_slo)}
    assert {panel["title"]: numbers[panel["title"]] for panel in panels(without)} == {
        panel["title"]: panel["id"] for panel in panels(without)
    }


def test_every_number_is_given_once() -> None:
    dashboard = told(slo=SLO)
    numbers = [panel["id"] for panel in panels(dashboard)]
    numbers += [panel["id"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert len(set(numbers)) == len(numbers)


def test_no_panel_lies_over_another_one() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in told(slo=SLO)["panels"]:
        for inner in [panel, *panel.get("panels", [])]:
            at = inner["gridPos"]
            assert at["x"] + at["w"] <= 24
            if inner is panel:
                cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
                assert not cells & taken, inner["title"]
                taken |= cells


def test_every_panel_says_what_it_means_and_has_a_unit() -> None:
    for panel in panels(told(slo=SLO)):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]


def test_every_line_of_a_graph_has_a_name() -> None:
    for panel in panels(told(slo=SLO)):
        names = [target["legendFormat"] for target in panel["targets"]]
        if panel["type"] in {"timeseries", "state-timeline", "bargauge"}:
            assert all(names), panel["title"]


def test_the_variables_name_the_configured_providers_and_all_of_them_are_chosen_at_first() -> None:
    (variable,) = [one for one in told("stripe", "github")["templating"]["list"] if one["name"] == "provider"]
    assert (variable["query"], variable["multi"], variable["includeAll"]) == ("github,stripe", True, True)
    assert variable["current"]["value"] == ["$__all"]
    assert [option["value"] for option in variable["options"]] == [["$__all"], "github", "stripe"]


def test_every_query_is_narrowed_by_the_variables_and_only_by_those() -> None:
    dashboard = told(slo=SLO)
    known = {variable["name"] for variable in dashboard["templating"]["list"]}
    queries = [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]
    queries += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    for expr in queries:
        assert set(re.findall(r"\$(\w+)", expr)) - {"__rate_interval"} <= known
        for metric, matchers in re.findall(r"\b((?:tidegate|process)_\w+)(\{[^}]*\})?", expr):
            assert 'job=~"$job",instance=~"$instance"' in matchers, metric


def test_latencies_are_never_added_up_over_providers_whose_buckets_differ() -> None:
    for expr in expressions(told(slo=SLO)).splitlines():
        if "duration_seconds_bucket" in expr:
            assert "by (provider, le)" in expr


def test_budgets_are_asked_for_over_the_window_of_each_provider() -> None:
    own = {"base_url": "https://api.example.com", "slo": {**SLO, "window": "7d"}}
    dashboard = json.loads(render(Settings.model_validate({"slo": SLO, "providers": {
        "acme": {"base_url": "https://api.example.com"}, "globex": own, "off": {**own, "slo": False},
    }})))  # fmt: skip
    (panel,) = [one for one in panels(dashboard) if one["title"] == "Error budget left"]
    month, week = [target["expr"] for target in panel["targets"]]
    assert ('provider="acme"' in month, "[30d]" in month) == (True, True)
    assert ('provider="globex"' in week, "[7d]" in week) == (True, True)
    assert "off" not in month + week


def test_panels_link_to_runbooks_that_exist_where_their_address_is_given() -> None:
    base = "https://example.com/runbooks"
    dashboard = json.loads(render(settings("acme", slo=SLO), base))
    urls = {link["url"] for panel in panels(dashboard) for link in panel["links"]}
    assert f"{base}/breaker-open.md" in urls
    missing = [url for url in urls if not (ROOT / "deploy/runbooks" / url.removeprefix(f"{base}/")).is_file()]
    assert missing == []
    assert [panel["title"] for panel in panels(told()) if panel["links"]] == []


def test_a_click_on_a_provider_shows_it_alone_with_the_same_sidecars_and_time() -> None:
    dashboard = told()
    (table,) = [panel for panel in panels(dashboard) if panel["title"] == "Providers"]
    (url,) = [
        link["url"]
        for override in table["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "links"
        for link in one["value"]
    ]
    assert url.startswith(f"/d/{dashboard['uid']}?")
    assert "var-provider=${__value.text}" in url
    assert {"datasource", "job", "instance"} == set(re.findall(r"\$\{(\w+):queryparam\}", url))


def test_the_whole_catalogue_at_once_is_no_larger_than_grafana_takes() -> None:
    text = render(settings(*Presets(None).names, slo=SLO))
    assert len(text) < 1_000_000


def test_the_command_prints_it_with_links_where_their_address_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("providers: {mock: {}}", encoding="utf-8")
    base = "https://example.com/runbooks"
    assert main(["dashboard", "--config", str(file), "--runbooks", base]) == 0
    assert capsys.readouterr().out == render(load(file), base)
