"""What may never be written, in the package and in the console's files."""

import pytest

from tests.support.dangers import dangers, page_dangers
from tests.support.rules import ROOT, Source, sources

PAGES = sorted((ROOT / "proxy" / "edge" / "admin" / "static").iterdir())


def test_the_package_holds_no_danger() -> None:
    assert [problem for source in sources("proxy") for problem in dangers(source)] == []


def test_the_console_keeps_to_its_policy() -> None:
    found = [problem for path in PAGES for problem in page_dangers(path.name, path.read_text(encoding="utf-8"))]
    assert found == []


def test_there_is_a_console_to_check() -> None:
    assert {"index.html", "console.js", "console.css"} <= {path.name for path in PAGES}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("proxy/a.py", "assert True"),
        ("proxy/a.py", "session.get(url, allow_redirects=True)"),
        ("proxy/a.py", "session.get(url, allow_redirects=flag)"),
        ("proxy/a.py", "httpx.get(url, follow_redirects=True)"),
        ("proxy/a.py", "options = {'allow_redirects': True}"),
        ("proxy/a.py", "ClientSession(trust_env=flag)"),
        ("proxy/a.py", "aiohttp.ClientSession(trust_env=True)"),
        ("proxy/a.py", "session.trust_env = True"),
        ("proxy/a.py", "self.session.trust_env = flag"),
        ("proxy/a.py", "class Client:\n    trust_env: bool = True"),
        ("proxy/a.py", "requests.get(url, verify=False)"),
        ("proxy/a.py", "session.verify = False"),
        ("proxy/a.py", "session.get(url, ssl=False)"),
        ("proxy/a.py", "TCPConnector(verify_ssl=False)"),
        ("proxy/a.py", "context.check_hostname = False"),
        ("proxy/a.py", "context.verify_mode = ssl.CERT_NONE"),
        ("proxy/a.py", "subprocess.run(text, shell=True)"),
        ("proxy/a.py", "yaml.load(text)"),
        ("proxy/a.py", "yaml.load(text, Loader=yaml.FullLoader)"),
        ("proxy/a.py", "yaml.load_all(text, yaml.Loader)"),
        ("proxy/a.py", "yaml.unsafe_load(text)"),
        ("proxy/edge/a.py", "slot.secret.reveal()"),
    ],
)
def test_a_danger_is_found(path: str, text: str) -> None:
    assert len(list(dangers(Source(path, text)))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("proxy/a.py", "session.get(url, allow_redirects=False)"),
        ("proxy/a.py", "session.trust_env = False"),
        ("proxy/a.py", "session.get(url, ssl=context, verify=bundle)"),
        ("proxy/a.py", "context.check_hostname = True"),
        ("proxy/a.py", "context.verify_mode = ssl.CERT_REQUIRED"),
        ("proxy/a.py", "subprocess.run([program], shell=False)"),
        ("proxy/a.py", "yaml.load(text, Loader=CSafeLoader)"),
        ("proxy/a.py", "yaml.safe_load(text)"),
        ("proxy/a.py", "json.load(file)"),
        ("proxy/credentials/bearer.py", "slot.secret.reveal()"),
    ],
)
def test_what_is_safe_is_left_alone(path: str, text: str) -> None:
    assert list(dangers(Source(path, text))) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.js", "row.innerHTML = call.path"),
        ("a.js", "row.outerHTML = call.path"),
        ("a.js", "row.insertAdjacentHTML('beforeend', text)"),
        ("a.js", "document.write(text)"),
        ("a.js", "eval(text)"),
        ("a.js", "const f = new Function(text)"),
        ("a.js", "setTimeout('poll()', 1000)"),
        ("a.js", "row.setAttribute('onclick', text)"),
        ("a.js", "row.setAttribute('style', text)"),
        ("a.js", "import {chart} from 'https://cdn.example/chart.js'"),
        ("a.html", "<button onclick='go()'>"),
        ("a.html", "<button\n  onclick='go()'>"),
        ("a.html", "<script>go()</script>"),
        ("a.html", "<style>p {}</style>"),
        ("a.html", "<p style='color: red'>"),
        ("a.html", "<a href='javascript:go()'>"),
        ("a.html", "<link rel='stylesheet' href='//cdn.example/a.css'>"),
        ("a.css", "body { background: url(https://cdn.example/a.png) }"),
        ("a.css", "@import 'https://cdn.example/a.css';"),
    ],
)
def test_what_the_policy_would_drop_or_must_stop_is_found(path: str, text: str) -> None:
    assert len(list(page_dangers(path, text))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.js", "row.textContent = call.path; row.style.width = '4px'"),
        ("a.js", "setTimeout(poll, 1000)"),
        ("a.js", "import {chart} from './chart.js'"),
        ("a.js", "svg('http://www.w3.org/2000/svg')"),
        ("a.html", '<script type="module" src="console.js"></script>'),
        ("a.html", '<link rel="stylesheet" href="/console.css">'),
        ("a.css", "p { background: url(data:image/png;base64,AA) }"),
    ],
)
def test_what_the_policy_allows_is_left_alone(path: str, text: str) -> None:
    assert list(page_dangers(path, text)) == []


def test_a_danger_is_told_with_its_line() -> None:
    (told,) = page_dangers("a.js", "one\ntwo.innerHTML = three")
    assert told.startswith("a.js:2: 'innerHTML': ")
