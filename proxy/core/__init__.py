"""Floor 0, the words: what a call, a reply, an outcome, an error, an event and a provider are.

Imports the standard library and pydantic only, so that every other floor can speak in these words.
"""
