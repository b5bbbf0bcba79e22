"""What a row of the dashboard asks."""

from proxy.monitoring.panels import Row


def asked(row: Row) -> dict[str, str]:
    """Return the questions of each panel, by its title, in one text."""
    return {panel.title: "\n".join(query.expr for query in panel.queries) for panel in row.panels}
