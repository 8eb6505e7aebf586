"""Programs that people run: they look after a stack from outside, or write what is published. None runs in AWS."""
