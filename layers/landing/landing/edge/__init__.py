"""What comes in over HTTP or as an order of ops, and what goes out: parse, answer, never echo."""
