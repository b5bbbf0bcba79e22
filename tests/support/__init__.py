"""What tests stand on: a loop whose time is virtual, and a Handler that plays a script."""
