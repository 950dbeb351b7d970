"""The command, started as `python -m e2e.command`: what the console script does."""

from __future__ import annotations

from crawler.cli import main

if __name__ == "__main__":
    main()
