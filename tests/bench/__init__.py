"""The benchmark: tidegate, Envoy, HAProxy, nginx and a plain aiohttp proxy side by side in one run.

`python -m tests.bench` prints the table. Ratios count; absolute figures belong to the machine they were taken on.
"""
