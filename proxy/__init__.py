"""tidegate: an egress sidecar that knows the third-party APIs behind it."""

__version__ = "0.1.0"
