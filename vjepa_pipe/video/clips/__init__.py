"""Which frames make up a clip."""
