"""Sends spans to a collector: OTLP over HTTP, in a thread of its own, so that no call ever waits for it.

Imported only where tracing is configured. What OTEL_* variables say is not heeded: the file alone says what is sent
where.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import Event as SpanEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from opentelemetry.util.types import Attributes
from requests import PreparedRequest, RequestException, Response, Session
from requests.structures import CaseInsensitiveDict

from proxy import __version__
from proxy.core.secret import SecretSlot

MOST_WAITING: Final = 4096
"""Spans that wait at most, about 10 MiB of them; those that come then are dropped and counted."""

_BATCH: Final = 512
_EVERY_MS: Final = 1000
_TIMEOUT_S: Final = 5.0
_CLOSE_S: Final = 2.0
_QUIET_S: Final = 60.0  # between two words about the same trouble
_MOST_ANSWER: Final = 64 * 1024
_PATH: Final = "/v1/traces"  # OTLP specification, section OTLP/HTTP

Headers = Mapping[str, Sequence[SecretSlot]]
"""Header fields by name; of several slots the first that has a secret counts."""

Redact = Callable[[bytes], bytes]
Count = Callable[[int, int], None]

_log = logging.getLogger("tidegate.tracing")


class Collector:
    """The collector behind one address.

    url: its root, to which the path of OTLP is added. headers: what it asks for. redact: takes every secret out of what
    is sent. count: hears how many spans were exported, and how many dropped. Both are called in the sending thread too.
    """

    def __init__(self, url: str, headers: Headers, redact: Redact, count: Count) -> None:
        for name in ("opentelemetry", "urllib3"):  # they tell each failure, and we tell it once a minute
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.url = url
        self._session = _Session(headers)
        self._exporter = _Exporter(url + _PATH, self._session, redact, count)
        self._count = count
        self._given = 0
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=MOST_WAITING,
            schedule_delay_millis=_EVERY_MS,
            max_export_batch_size=_BATCH,
            export_timeout_millis=_TIMEOUT_S * 1000,
            meter_provider=NoOpMeterProvider(),
        )

    def use(self, headers: Headers) -> None:
        """Send these header fields from now on."""
        self._session.fields = headers

    def put(self, spans: Sequence[ReadableSpan]) -> None:
        """Take the spans of one call, all or none; never waits."""
        # Counted here, because the processor itself would drop the oldest, and say so for each.
        if self._given - self._exporter.handled + len(spans) > MOST_WAITING:
            self._count(0, len(spans))
            return
        self._given += len(spans)
        for span in spans:
            self._processor.on_end(span)

    def close(self, within_s: float = _CLOSE_S) -> None:
        """Send what waits, for so many seconds at most; what is left then is given up."""
        self._exporter.end_at = time.monotonic() + within_s
        ending = threading.Thread(target=self._processor.shutdown, name="tidegate-spans-end", daemon=True)
        ending.start()
        ending.join(within_s)


class _Exporter(SpanExporter):
    """The library's exporter, redacted and counted.

    handled: spans that wait no longer. end_at: monotonic instant after which nothing is sent any more.
    """

    def __init__(self, endpoint: str, session: "_Session", redact: Redact, count: Count) -> None:
        self.handled = self._lost = 0
        self.end_at = float("inf")
        self._redact = redact
        self._count = count
        self._endpoint = endpoint
        self._session = session
        self._told_at = float("-inf")
        self._inner = OTLPSpanExporter(
            endpoint, timeout=_TIMEOUT_S, compression=Compression.NoCompression, session=session
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; runs in the processor's thread."""
        result = SpanExportResult.FAILURE
        if time.monotonic() < self.end_at:
            self._session.problem = ""
            result = self._inner.export(_clean(spans, self._redact))
        self.handled += len(spans)
        if result is SpanExportResult.SUCCESS:
            self._count(len(spans), 0)
        else:
            self._lost += len(spans)
            self._tell()
            self._count(0, len(spans))  # last: whoever sees the counter finds the reason in the log
        return result

    def shutdown(self) -> None:
        """End an export that waits for its next try."""
        self._inner.shutdown()  # type: ignore[no-untyped-call]  # the library's

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told_at >= _QUIET_S:
            self._told_at = now
            why = self._session.problem or "no answer in time"
            _log.warning("spans can't be sent to %s: %s; %d are lost so far", self._endpoint, why, self._lost)


class _Session(Session):
    """What goes over the wire: only these fields, only to this address. problem: what went wrong last."""

    def __init__(self, fields: Headers) -> None:
        super().__init__()
        self.trust_env = False  # no proxy, certificate or netrc from the surroundings
        self.fields = fields
        self.problem = ""

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Send with our fields alone, and keep no more than the beginning of the answer."""
        # The library adds fields and certificates that variables name; they are not ours.
        request.headers = CaseInsensitiveDict(self._headers(request))
        try:
            ours = {"verify": True, "cert": None, "stream": True, "allow_redirects": False}
            answer = super().send(request, **{**kwargs, **ours})
            answer._content = answer.raw.read(_MOST_ANSWER)  # noqa: SLF001 - the rest is never asked for
            answer.close()
        except (RequestException, OSError, ValueError) as error:
            self.problem = type(error).__name__
            raise
        if not answer.ok or answer.is_redirect:
            self.problem = f"it answered {answer.status_code}"
        if 300 <= answer.status_code < 400:
            raise RequestException("redirects are not followed")  # the library takes one for a success
        return answer

    def _headers(self, request: PreparedRequest) -> dict[str, str | bytes]:
        fields: dict[str, str | bytes] = {
            "Content-Type": "application/x-protobuf",
            "Content-Length": request.headers["Content-Length"],
            "User-Agent": f"tidegate/{__version__}",
        }
        for name, slots in self.fields.items():
            secret = next((slot.secret for slot in slots if slot.secret is not None), None)
            if secret is None:
                self.problem = f"the secret of the header {name} can't be read"
                raise RequestException(self.problem)
            fields[name] = secret.reveal()
        return fields


def _clean(spans: Sequence[ReadableSpan], redact: Redact) -> Sequence[ReadableSpan]:
    """Return the spans without secrets. All are searched at once, because next to none holds one."""
    data = "\n".join(text for span in spans for text in _texts(span)).encode("utf-8", "surrogatepass")
    if redact(data) is data:
        return spans

    def clean(text: str) -> str:
        return redact(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")

    return [_redacted(span, clean) for span in spans]


def _texts(span: ReadableSpan) -> Iterator[str]:
    yield span.name
    yield span.status.description or ""
    for attributes in (span.attributes, *(event.attributes for event in span.events)):
        yield from (value for value in (attributes or {}).values() if isinstance(value, str))


def _redacted(span: ReadableSpan, clean: Callable[[str], str]) -> ReadableSpan:
    def cleaned(attributes: Attributes) -> Attributes:
        texts = (attributes or {}).items()
        return {key: clean(value) if isinstance(value, str) else value for key, value in texts}

    status = span.status
    return ReadableSpan(
        clean(span.name),
        span.context,
        span.parent,
        span.resource,
        cleaned(span.attributes),
        [SpanEvent(event.name, cleaned(event.attributes), event.timestamp) for event in span.events],
        kind=span.kind,
        status=Status(status.status_code, clean(status.description)) if status.description else status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
