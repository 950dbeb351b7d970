"""The long part of the kill harness: `make torture`, or `python -m torture` with `tests` on the path."""
