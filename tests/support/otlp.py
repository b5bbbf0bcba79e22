"""A collector of spans: the wire, and what came over it as OTLP decodes it."""

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from tests.support.wire import Wire

PATH = "POST /v1/traces HTTP/1.1"


def exports(wire: Wire) -> list[ResourceSpans]:
    """Return everything that was exported to the wire so far, request by request."""
    bodies = [request.body for request in list(wire.requests) if request.whole]
    return [batch for body in bodies for batch in ExportTraceServiceRequest.FromString(body).resource_spans]


def spans(wire: Wire) -> list[Span]:
    """Return the spans that were exported to the wire so far."""
    return [span for batch in exports(wire) for scope in batch.scope_spans for span in scope.spans]


def told(attributes: Any) -> dict[str, Any]:
    """Return attributes as plain values by key."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
