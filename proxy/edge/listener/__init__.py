"""The egress listener: aiohttp's low-level server, and the way from a request to a call and back."""
