"""The closed list of reasons, read from the tree of errors, so that it can't fall behind."""

from collections.abc import Iterator

from proxy.core.errors import TidegateError


def outcomes_by_reason() -> dict[str, str]:
    """Return what each reason says about the provider; its keys are all reasons that an error can give."""
    return {kind.reason: kind.outcome.value for kind in _kinds(TidegateError) if hasattr(kind, "reason")}


def _kinds(parent: type[TidegateError]) -> Iterator[type[TidegateError]]:
    for kind in parent.__subclasses__():
        yield kind
        yield from _kinds(kind)
