"""The commands of bin/landing: each finds the stack, does one thing, and tells what came of it."""
