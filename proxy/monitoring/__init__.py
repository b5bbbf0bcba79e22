"""What watches a fleet of sidecars: rules for Prometheus and a dashboard for Grafana, made from the configuration."""
