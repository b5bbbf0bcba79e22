"""The admin listener: health, metrics, console and actions. Nothing is proxied here."""
