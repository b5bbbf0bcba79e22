"""PyGithub."""

from base64 import b64decode
from functools import partial
from typing import Final

import pytest
from github import Auth, Github, GithubException, UnknownObjectException

from tests.sdk.ground import Ground, Grounds, says, sent_json
from tests.support.wire import Wire

pytestmark = pytest.mark.sdk

API: Final = "https://api.github.com"  # GitHub's answers are full of absolute addresses
REPOSITORY: Final = {"id": 1, "name": "tide", "full_name": "acme/tide", "url": f"{API}/repos/acme/tide"}
ISSUE: Final = {"id": 2, "number": 7, "title": "It is wet", "url": f"{API}/repos/acme/tide/issues/7"}


@pytest.fixture
def github(ground: Grounds) -> Ground:
    return ground("github")


def client_of(ground: Ground, *, lazy: bool = False) -> Github:
    # Without its own pauses between two calls; they are the sidecar's business.
    unhurried = partial(Github, seconds_between_requests=None, seconds_between_writes=None, lazy=lazy)
    client: Github = ground.client(Github=unhurried, Auth=Auth)
    return client


def test_a_repository_is_read(github: Ground) -> None:
    github.play(says(REPOSITORY))
    assert client_of(github).get_repo("acme/tide").id == 1
    assert github.lines == ["GET /repos/acme/tide"]


def test_an_issue_is_made_in_a_repository_that_was_not_read(github: Ground) -> None:
    github.play(says(ISSUE, 201))
    repository = client_of(github, lazy=True).get_repo("acme/tide")
    assert repository.create_issue("It is wet", body="Since 5 🌊").number == 7
    assert github.lines == ["POST /repos/acme/tide/issues"]
    assert sent_json(github.requests[0]) == {"title": "It is wet", "body": "Since 5 🌊"}


def test_addresses_of_other_hosts_are_left_alone_and_refused_by_the_sdk_itself(github: Ground) -> None:
    github.play(says([ISSUE], 200, 'Link: <https://elsewhere.example.com/issues?page=2>; rel="next"'))
    issues = iter(client_of(github, lazy=True).get_repo("acme/tide").get_issues())
    assert next(issues).number == 7
    with pytest.raises(AssertionError, match=r"^elsewhere\.example\.com$"):
        next(issues)
    assert github.lines == ["GET /repos/acme/tide/issues"]


def test_addresses_of_objects_and_pages_lead_back_through_the_sidecar(github: Ground, wire: Wire) -> None:
    repository = {**REPOSITORY, "url": f"{wire.url}/repos/acme/tide"}
    page = f'Link: <{wire.url}/repositories/1/issues?page=2>; rel="next"'
    github.play(says(repository), says([ISSUE], 200, page), says([{**ISSUE, "number": 8}]))
    issues = client_of(github).get_repo("acme/tide").get_issues()
    assert [issue.number for issue in issues] == [7, 8]
    assert github.lines == [
        "GET /repos/acme/tide", "GET /repos/acme/tide/issues", "GET /repositories/1/issues?page=2",
    ]  # fmt: skip


def test_an_error_is_the_providers_own(github: Ground) -> None:
    github.play(says({"message": "Not Found", "status": "404"}, 404))
    with pytest.raises(UnknownObjectException) as caught:
        client_of(github).get_user("nobody").complete()
    assert caught.value.data == {"message": "Not Found", "status": "404"}


def test_a_secondary_limit_is_told_and_the_next_call_is_held_back(ground: Grounds) -> None:
    github = ground("github-busy")
    github.play(says({"message": "You have exceeded a secondary rate limit"}, 403, "Retry-After: 120"))
    client = client_of(github)
    seen = []
    for _ in range(2):
        with pytest.raises(GithubException) as caught:
            client.get_repo("acme/tide").complete()
        seen.append((caught.value.status, caught.value.data.get("reason")))
    assert seen == [(403, None), (503, "provider_paused")]
    assert len(github.requests) == 1


def test_a_file_is_uploaded(github: Ground) -> None:
    content = bytes(range(256)) * 300
    github.play(says({"commit": {"sha": "1"}, "content": {"path": "tide.bin"}}, 201))
    client_of(github, lazy=True).get_repo("acme/tide").create_file("tide.bin", "Add the tide", content)
    assert github.lines == ["PUT /repos/acme/tide/contents/tide.bin"]
    sent = sent_json(github.requests[0])
    assert isinstance(sent, dict)
    assert b64decode(sent["content"]) == content


def test_the_sidecar_changes_the_credential_alone(github: Ground) -> None:
    def create(way: Ground) -> None:
        client_of(way, lazy=True).get_repo("acme/tide").create_issue("Grüße")

    github.compare(create, says(ISSUE, 201))
