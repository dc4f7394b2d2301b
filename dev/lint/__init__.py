"""`make lint`."""
