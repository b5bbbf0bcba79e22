"""A log whose lines hold one another: each carries the digest of the one before, and its own over all of that.

A line is one JSON object: `{"seq":7,"prev":"<hex>",` then what is recorded, and last `"hash":"<hex>"}`. The digest
covers the bytes of the line up to its own key, so that nobody has to agree on how JSON is written.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import orjson

Digest = Callable[[bytes], bytes]
"""From the bytes of a line to 32 bytes: SHA-256, or an HMAC of it, which nobody can compute without the key."""

_NO_HASH: Final = "0" * 64
_MOST_KEPT: Final = 100
_NONE_OF_OURS: Final = "no record of this log: put in, or damaged"
_LINE: Final = re.compile(rb'(\{"seq":([1-9]\d{0,17}),"prev":"([0-9a-f]{64})",.*),"hash":"([0-9a-f]{64})"\}')


class Link(NamedTuple):
    """Where a chain ends: the number of its last line and that line's digest in hexadecimal."""

    seq: int
    hash: str


BEGINNING: Final = Link(0, _NO_HASH)

START: Final = b'{"seq":'
"""How every line begins."""


class Entry(NamedTuple):
    """One line, taken apart. covered: the bytes of which `hash` is the digest."""

    link: Link
    prev: str
    covered: bytes


def sha256(data: bytes) -> bytes:
    """Return the plain digest, which tells mistakes and careless hands, but not who can write the whole file anew."""
    return hashlib.sha256(data).digest()


def add(before: Link, record: bytes, digest: Digest, marks: Mapping[str, object]) -> tuple[bytes, Link]:
    """Return the line that records something after the line `before`, and where the chain ends with it.

    record: a JSON object of at least one key, in one line. marks: keys of the log itself, that come first.
    """
    own = b"".join(b'"%b":%b,' % (name.encode(), orjson.dumps(value)) for name, value in marks.items())
    covered = b'{"seq":%d,"prev":"%b",%b%b' % (before.seq + 1, before.hash.encode(), own, record[1:-1])
    link = Link(before.seq + 1, digest(covered).hex())
    return b'%b,"hash":"%b"}\n' % (covered, link.hash.encode()), link


def try_entry(line: bytes) -> Entry | None:
    """Take a line apart, its end included; None for one that is not whole, or no line of such a log."""
    found = _LINE.fullmatch(line[:-1]) if line.endswith(b"\n") else None
    if found is None:
        return None
    covered, seq, prev, own = found.groups()
    return Entry(Link(int(seq), own.decode()), prev.decode(), covered)


def try_last(data: bytes) -> tuple[Link, int] | None:
    """Find the last whole line in the end of a log. Returns: where the chain ends, and how many bytes follow."""
    end = data.rfind(b"\n") + 1
    while end:
        start = data.rfind(b"\n", 0, end - 1) + 1
        entry = try_entry(data[start:end])
        if entry is not None:
            return entry.link, len(data) - end
        end = start
    return None


class Findings:
    """Sentences in the order in which they came: the first hundred, and how many there are."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, text: str) -> None:
        """Take one more."""
        self.count += 1
        if len(self.first) < _MOST_KEPT:
            self.first.append(text)


class Follower:
    """Reads a log line by line, from its oldest part on, and finds what does not belong.

    digests: those that may have been used, such as that of the new key and that of the old one.
    records: lines that are what was written. runs: the processes that wrote them. first, last: their times as text.
    link: where the chain ends. unfinished: the bytes behind the last line's end. gaps: where the log itself says that
    it lost records, or was torn. findings: what is wrong.
    """

    def __init__(self, digests: Sequence[Digest]) -> None:
        self._digests = digests
        self.records = self.unfinished = 0
        self.runs: set[object] = set()
        self.first = self.last = ""
        self.link = BEGINNING
        self.gaps = Findings()
        self.findings = Findings()
        self._strangers = _Strangers()

    def read(self, line: bytes, place: str) -> None:
        """Take one line, its end included; `place` is what findings call it."""
        entry = try_entry(line)
        if entry is None:
            self._strangers.add(line, place)
            return
        record = _record(entry)
        self._judge_strangers(record, place)
        if all(digest(entry.covered).hex() != entry.link.hash for digest in self._digests):
            self.findings.add(f"{place}: the record was changed, or hashed without the key: its hash does not fit")
            if entry.link.seq == self.link.seq + 1:
                self.link = entry.link
            return
        self._judge_place(entry, place)
        self._count(record, place)

    def finish(self) -> None:
        """Judge what stands behind the last record; a line without an end is still being written, or was cut off."""
        self.unfinished = self._strangers.unfinished
        self._blame(self._strangers, self._strangers.count - bool(self.unfinished))

    def _judge_strangers(self, record: Mapping[str, object], place: str) -> None:
        """Accept what a crash left of a line, where the record behind it says exactly that."""
        strangers, self._strangers = self._strangers, _Strangers()
        claimed = record.get("torn", 0)
        if (claimed, record.get("torn_sha256", strangers.digest.hexdigest())) == strangers.told():
            if claimed:
                self.gaps.add(f"{place}: {claimed} bytes before it are torn: a process was killed, or the disk full")
            return
        self._blame(strangers, strangers.count)
        if not strangers.count:
            self.findings.add(f"{place}: {claimed} torn bytes before it are missing")

    def _blame(self, strangers: "_Strangers", count: int) -> None:
        for where in strangers.places[:count]:
            self.findings.add(f"{where}: {_NONE_OF_OURS}")
        self.findings.count += max(0, count - len(strangers.places))

    def _judge_place(self, entry: Entry, place: str) -> None:
        known, link = self.link, entry.link
        if link.seq <= known.seq:
            self.findings.add(f"{place}: record {link.seq} stands behind record {known.seq}: moved, or put in")
            return
        self.link = link
        if known == BEGINNING and link.seq > 1:
            self.gaps.add(f"{place}: begins with record {link.seq}; the parts before are not here")
        elif link.seq > known.seq + 1:
            self.findings.add(f"{place}: before it, {_numbers(known.seq + 1, link.seq - 1)} missing: removed")
        elif entry.prev != known.hash:
            self.findings.add(f"{place}: does not follow the record before, which was changed or replaced")

    def _count(self, record: Mapping[str, object], place: str) -> None:
        self.records += 1
        self.runs.add(record.get("run"))
        self.last = str(record.get("ts", ""))
        self.first = self.first or self.last
        if lost := record.get("lost"):
            self.gaps.add(f"{place}: {lost} records before it were lost: the disk was full, or too slow")


class _Strangers:
    """Lines one after another that are no records, for which the next record may vouch."""

    def __init__(self) -> None:
        self.places: list[str] = []
        self.count = self.unfinished = self._bytes = 0
        self.digest = hashlib.sha256()

    def add(self, line: bytes, place: str) -> None:
        self.count += 1
        if len(self.places) < _MOST_KEPT:
            self.places.append(place)
        self.unfinished = 0 if line.endswith(b"\n") else len(line)
        self.digest.update(line)
        self._bytes += len(line)

    def told(self) -> tuple[int, str]:
        """Return what the next record has to say."""
        return self._bytes, self.digest.hexdigest()


def _record(entry: Entry) -> Mapping[str, object]:
    try:
        record = orjson.loads(entry.covered + b"}")
    except orjson.JSONDecodeError:  # a secret that was taken out may have had a part of JSON in it
        return {}
    return record if isinstance(record, dict) else {}


def _numbers(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"
