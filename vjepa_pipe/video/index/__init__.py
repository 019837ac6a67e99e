"""Which packet of a file holds which frame, and where decoding can start."""
