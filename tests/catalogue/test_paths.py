"""Templates of paths: the log shows the most exact one, and no secret that stands in a path."""

import re

import pytest

from proxy.presets import Presets
from proxy.sansio.templates import compile_template

PATHS = {name: Presets().read(name).data["profile"].get("paths", ()) for name in Presets().names}


def first(name: str, path: bytes) -> str | None:
    return next((template for template in PATHS[name] if compile_template(template).fullmatch(path)), None)


@pytest.mark.parametrize("name", [name for name, templates in PATHS.items() if templates])
def test_no_template_is_hidden_by_one_before_it(name: str) -> None:
    examples = {
        template: re.sub(r"\{\w+\}", "x", template).replace("*", "x/x/x/x/x").encode() for template in PATHS[name]
    }
    assert {template: first(name, path) for template, path in examples.items()} == {name: name for name in examples}


@pytest.mark.parametrize(
    ("name", "path", "template"),
    [
        ("openai", b"/v1/chat/completions", "/v1/chat/completions"),
        ("openai", b"/v1/responses/resp_1/input_items", "/v1/responses/{id}/input_items"),
        ("anthropic", b"/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("mailgun", b"/v3/mg.example.com/messages", "/v3/{domain}/messages"),
        ("algolia", b"/1/indexes/*/queries", "/1/indexes/{index}/queries"),
        ("algolia", b"/1/indexes/products/4711", "/1/indexes/{index}/{id}"),
        ("elasticsearch", b"/products/_doc/1", "/{index}/_doc/{id}"),
        ("elasticsearch", b"/_cat/indices", "/_cat/{what}"),
        ("shopify", b"/admin/api/2026-07/graphql.json", "/admin/api/{version}/graphql.json"),
        ("fcm", b"/v1/projects/p-1/messages:send", "/v1/projects/{project}/messages:send"),
        ("apns", b"/3/device/00fc13adff78", "/3/device/{token}"),
        ("facebook", b"/v24.0/me", "/{version}/{id}"),
        ("snowflake", b"/api/v2/statements/01b0-ff/cancel", "/api/v2/statements/{handle}/cancel"),
        ("svix", b"/api/v1/app/app_1/msg", "/api/v1/app/{app}/msg"),
        ("spoonacular", b"/recipes/716429/information", "/recipes/{id}/information"),
        ("cloudinary", b"/v1_1/demo/image/upload", "/v1_1/{cloud}/{kind}/upload"),
    ],
)
def test_a_path_is_shown_by_its_template(name: str, path: bytes, template: str) -> None:
    assert first(name, path) == template
