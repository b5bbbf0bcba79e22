"""`python -m tests.bench.watch URL`: reads server-sent events and throws them away, as an open console does."""

import http.client
import sys
from urllib.parse import urlsplit


def main() -> None:
    parts = urlsplit(sys.argv[1])
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    connection.request("GET", parts.path)
    answer = connection.getresponse()
    if answer.status != 200:
        sys.exit(f"{parts.path} answered {answer.status}")
    while answer.read1(65536):
        pass


if __name__ == "__main__":
    main()
