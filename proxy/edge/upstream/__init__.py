"""The HTTP/1.1 client engine: dial, pool, framing. Nothing is retried, followed, decoded or added here."""
