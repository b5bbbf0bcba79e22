"""moto, a stand-in for S3 and SQS, on a free port of the loopback interface; prints the port.

A process of its own, because it takes seconds to import, and reaches into botocore.
"""

import sys

from moto.server import ThreadedMotoServer


def serve() -> None:
    """Serve until standard input ends."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    sys.stdout.write(f"{server.get_host_and_port()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    serve()
