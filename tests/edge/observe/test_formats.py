import pytest

from proxy.edge.observe.formats import chosen

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    "accept",
    [
        PROMETHEUS_2,
        PROMETHEUS_3,
        "application/openmetrics-text",
        "APPLICATION/OpenMetrics-Text ; Version=1.0.0 ; charset=utf-8",
        'application/openmetrics-text; version="1.0.0"',
        "text/plain;q=0.5, application/openmetrics-text;q=0.6",
        "text/plain, application/openmetrics-text",
        "application/openmetrics-text, */*",
        "text/plain;q=0, application/openmetrics-text;q=0.1",
        "text/plain;version=1.0.0, application/openmetrics-text;q=0.1",
    ],
)
def test_openmetrics_goes_to_who_names_it_and_does_not_prefer_the_other(accept: str) -> None:
    assert chosen(accept) == "openmetrics"


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/*",
        "text/plain;version=0.0.4",
        "text/plain, application/openmetrics-text;q=0.9",
        "application/openmetrics-text;q=0.5, text/*",
        "application/openmetrics-text;q=0.5, */*;q=0.6",
        "application/openmetrics-text;q=0, */*;q=0.1",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;q=high",
        "application/openmetrics-text;q=nan",
        "application/openmetrics-text;q=2",
        "application/openmetrics-text-of-my-own",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        ";;,,=;q",
    ],
)
def test_plain_text_goes_to_everybody_else(accept: str) -> None:
    assert chosen(accept) == "plain"


def test_the_most_specific_range_decides_about_plain_text() -> None:
    assert chosen("text/plain;q=0.1, */*, application/openmetrics-text;q=0.5") == "openmetrics"
