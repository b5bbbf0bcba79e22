"""What leaves tidegate about itself: log lines and metrics."""
