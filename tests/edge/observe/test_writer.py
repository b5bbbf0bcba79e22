import os

import pytest

from proxy.edge.observe.writer import Writer, to_descriptor


def read_all(fd: int) -> bytes:
    pieces = []
    while piece := os.read(fd, 65536):
        pieces.append(piece)
    return b"".join(pieces)


def test_everything_is_written_in_order() -> None:
    source, sink = os.pipe()
    writer = Writer(to_descriptor(sink))
    for number in range(100):
        writer.put(b"line %d\n" % number)
    assert writer.close(5)
    os.close(sink)
    assert read_all(source) == b"".join(b"line %d\n" % number for number in range(100))
    assert writer.dropped == 0
    os.close(source)


def test_a_reader_that_does_not_read_costs_lines_and_no_waiting() -> None:
    source, sink = os.pipe()
    writer = Writer(to_descriptor(sink), limit_bytes=300_000)
    for _ in range(10):
        writer.put(b"x" * 99_999 + b"\n")
    assert writer.dropped == 7
    assert not writer.close(0.01)
    os.close(source)
    assert writer.close(5)
    os.close(sink)
    assert writer.dropped == 10


def test_a_closed_reader_costs_the_lines_and_not_the_thread() -> None:
    source, sink = os.pipe()
    os.close(source)
    writer = Writer(to_descriptor(sink))
    writer.put(b"one\ntwo\n")
    writer.put(b"three\n")
    assert writer.close(5)
    assert writer.dropped == 3
    os.close(sink)


def test_a_non_blocking_pipe_is_waited_for() -> None:
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    writer = Writer(to_descriptor(sink))
    writer.put(b"x" * 999_999 + b"\n")
    size = 0
    while size < 1_000_000:
        size += len(os.read(source, 65536))
    assert writer.close(5)
    assert writer.dropped == 0
    os.close(source)
    os.close(sink)


@pytest.mark.parametrize("data", [b"late\n", b"late\nlater\n"])
def test_lines_after_the_end_are_counted(data: bytes) -> None:
    source, sink = os.pipe()
    writer = Writer(to_descriptor(sink))
    assert writer.close(5)
    writer.put(data)
    assert writer.dropped == data.count(b"\n")
    os.close(source)
    os.close(sink)


def test_what_gathers_while_it_lingers_is_written_in_one_piece() -> None:
    pieces: list[bytes] = []

    def write(data: bytes) -> int:
        pieces.append(data)
        return 1

    writer = Writer(write, linger_s=30.0)
    for line in (b"one\n", b"two\n", b"three\n"):
        writer.put(line)
    assert writer.close(5)
    assert (pieces, writer.dropped) == ([b"one\ntwo\nthree\n"], 1)
