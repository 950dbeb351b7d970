"""`python -m crawler.cli.town [--tide SECONDS]`: the demo town for a look."""

from __future__ import annotations

import argparse

from crawler.cli.town.server import serve_alone, serve_child


def main() -> None:
    """Start the town in this process."""
    parser = argparse.ArgumentParser(
        prog="python -m crawler.cli.town", description="The demo town of sites on loopback."
    )
    parser.add_argument(
        "--tide", type=float, default=30.0, metavar="SECONDS", help="new posts and edits so often; 0 = never"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    (serve_child if options.child else serve_alone)(options.tide)


main()
