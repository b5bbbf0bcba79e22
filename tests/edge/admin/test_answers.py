"""What answers of the admin listener look like."""

import orjson

from proxy.edge.admin.answers import HEADERS, Problem, json, problem


def test_a_problem_is_a_document_of_its_own_kind() -> None:
    answer = problem(503, "Too many", "come back later", "streams")
    assert (answer.status, answer.content_type) == (503, "application/problem+json")
    assert isinstance(answer.body, bytes)
    assert orjson.loads(answer.body) == {
        "type": "about:blank", "title": "Too many", "status": 503, "detail": "come back later", "reason": "streams",
    }  # fmt: skip


def test_a_problem_that_ends_a_page_brings_its_headers_along() -> None:
    assert Problem(401, "a", "b", "c", {"WWW-Authenticate": "Bearer"}).headers == {"WWW-Authenticate": "Bearer"}
    assert (Problem(401, "a", "b", "c").headers, str(Problem(401, "a", "b", "c"))) == ({}, "b")


def test_json_ends_its_line_and_writes_what_json_does_not_know_as_text() -> None:
    answer = json({1: {"at": object}}, 503)
    assert (answer.status, answer.body) == (503, b'{"1":{"at":"<class \'object\'>"}}\n')


def test_nothing_of_a_page_comes_from_elsewhere_or_runs_inline() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
