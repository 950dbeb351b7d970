"""The command `mention-crawler`: data on stdout, progress and messages on stderr, `--json` = JSON lines."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Entry point of the console script; turns the house's errors into messages and exit codes."""
    # The model's tokenizer must not fork threads of its own, and no library may phone home.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from crawler.cli.commands import app
    from crawler.cli.common import exit_code_of, say
    from crawler.errors import CrawlerError

    # Asked to go, a command gives back what it holds, as at Ctrl-C. The service has its own way of draining.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        app()
    except CrawlerError as error:
        say(f"error: {error}")
        sys.exit(exit_code_of(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        say(f"error: {error}")
        sys.exit(1)
    except Exception as error:
        if os.environ.get("MENTION_CRAWLER_TRACE"):
            raise
        say(f"error: this is a fault of the program: {type(error).__name__}: {error}")
        say("MENTION_CRAWLER_TRACE=1 in the environment shows where it happened")
        sys.exit(1)
