"""`python -m benchmarks [NAME...]`: run the named benchmarks, or all, and print a Markdown table."""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import crawl, deliveries, feeds, forms, jetstream, matching, memory, recrawl, stream, tone
from benchmarks.row import Row

ALL = {
    "crawl": crawl.run,
    "recrawl": recrawl.run,
    "feeds": feeds.run,
    "memory": memory.run,
    "matching": matching.run,
    "forms": forms.run,
    "stream": stream.run,
    "jetstream": jetstream.run,
    "deliveries": deliveries.run,
    "tone": tone.run,
}


def main(names: list[str]) -> None:
    """Print the machine, then one row a measurement."""
    if unknown := set(names) - set(ALL):
        raise SystemExit(f"no benchmark is called {', '.join(sorted(unknown))}; there are: {', '.join(ALL)}")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| measured | value | baseline | ratio | goal |\n|---|---|---|---|---|", flush=True)
    for name in names or list(ALL):
        for row in ALL[name]():
            print(row.line(), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main(sys.argv[1:])

__all__ = ["Row"]
