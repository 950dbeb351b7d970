"""Two services on one database, killed one process after the other, before a helpdesk that fails."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from e2e.life import Life
from postgres_server import PostgresServer

from crawler.cli.town import Town

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
KILLS = 6


def tormented(life: Life, town: Town, dice: random.Random) -> None:
    """Keep two services running while processes of theirs die."""
    life.helpdesk.mode("faulty")
    services: list[subprocess.Popen[str]] = []
    try:
        for _ in range(KILLS):
            services = [it for it in services if it.poll() is None]
            services += [life.start("run") for _ in range(2 - len(services))]
            time.sleep(dice.uniform(4.0, 9.0))
            town.advance()
            os.kill(dice.choice(life.processes()), signal.SIGKILL)
            life.kills += 1
    finally:
        for service in services:
            with suppress(ProcessLookupError):
                service.terminate()
        for service in services:
            with suppress(subprocess.TimeoutExpired):
                service.wait(30)
        life.kill_all()
    life.helpdesk.mode("ok")


@pytest.mark.timeout(600)
def test_two_services_killed_at_random(begin: Callable[..., Life], town: Town) -> None:
    life = begin(sources=("blog-comments", "money-forum"))
    assert life.run("crawl", "--json").code == 0
    tormented(life, town, random.Random(11))
    life.recover(tries=10)
    life.assert_whole()
    assert life.kills == KILLS


@pytest.mark.timeout(600)
@pytest.mark.postgres
def test_two_services_killed_on_postgresql(begin: Callable[..., Life], town: Town, postgres: PostgresServer) -> None:
    life = begin(sources=("blog-comments", "money-forum"), database_url=postgres.new_database())
    assert life.run("crawl", "--json").code == 0
    tormented(life, town, random.Random(12))
    life.recover(tries=10)
    life.assert_whole()
