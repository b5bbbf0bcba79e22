"""What `tidegate run` spares itself at the start, and that nothing is missing afterwards."""

import os
import subprocess
import sys

SCRIPT = """
import gc, os, ssl
from proxy.cli import main
status = main(["run", "--config", "/nonexistent/tidegate.yaml"])
from aiohttp import connector
spared = connector._SSL_CONTEXT_VERIFIED.get_ca_certs()
context = ssl.create_default_context()
print(status, len(spared), len(context.get_ca_certs()) == int(os.environ["WANTED"]), os.environ.get("SSL_CERT_FILE"))
"""


def started(**environment: str) -> str:
    plain = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"} | environment
    known = subprocess.run(
        [sys.executable, "-c", "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"],
        env=plain,
        capture_output=True,
        text=True,
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**plain, "WANTED": known.stdout.strip()},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_authorities_are_not_read_for_a_client_that_is_not_used() -> None:
    assert started() == "2 0 True None"


def test_a_file_of_authorities_that_the_user_names_holds_again() -> None:
    assert started(SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt").startswith("2 0 True /etc/ssl")
