"""A real Request Tracker 5 of Debian on loopback, with a database and a configuration of its own.

Installed by `tools/servers.sh` when it runs as root; nothing of the system's own RT is used or changed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

SERVER = Path("/usr/share/request-tracker5/libexec/rt-server")
DATABASE = Path("/var/lib/dbconfig-common/sqlite3/request-tracker5/rtdb")

CONFIG = """
Set($rtname, 'test');
Set($WebDomain, '127.0.0.1');
Set($WebPort, @PORT@);
Set($WebBaseURL, 'http://127.0.0.1:@PORT@');
Set($WebPath, '');
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '@FOLDER@/rtdb');
Set($DatabaseHost, '');
Set($MailCommand, 'testfile');
Set($WebSessionClass, 'Apache::Session::File');
Set($Timezone, 'UTC');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'error');
1;
"""
SEED = r"""
use strict; use warnings;
use lib '/usr/share/request-tracker5/lib';
use RT; RT::LoadConfig(); RT::Init();
my $root = RT->SystemUser;
my $user = RT::User->new($root);
$user->Create(Name => 'robot', EmailAddress => 'robot@example.test', Privileged => 1);
my $queue = RT::Queue->new($root);
$queue->Create(Name => 'Mentions');
for my $name (qw(ExternalID Tags)) {
    my $field = RT::CustomField->new($root);
    $field->Create(Name => $name, LookupType => 'RT::Queue-RT::Ticket',
                   Type => $name eq 'Tags' ? 'FreeformMultiple' : 'FreeformSingle');
    $field->AddToObject($queue);
    $user->PrincipalObj->GrantRight(Right => $_, Object => $field)
        for qw(SeeCustomField ModifyCustomField SetInitialCustomField);
}
$user->PrincipalObj->GrantRight(Right => $_, Object => $queue)
    for qw(SeeQueue ShowTicket ShowTicketComments CreateTicket ModifyTicket CommentOnTicket ReplyToTicket);
my $token = RT::AuthToken->new($root);
my ($ok, $message, $secret) = $token->Create(Owner => $user->id, Description => 'test');
print "TOKEN $secret\n";
"""


def installed() -> bool:
    return SERVER.is_file() and DATABASE.is_file() and os.access(DATABASE, os.R_OK)


class RequestTracker:
    """One running server with an empty queue `Mentions` and the user `robot`."""

    def __init__(self, folder: Path) -> None:
        (folder / "empty.d").mkdir(parents=True)
        shutil.copyfile(DATABASE, folder / "rtdb")
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = int(held.getsockname()[1])
        self.url, self._folder = f"http://127.0.0.1:{port}", folder
        config = CONFIG.replace("@PORT@", str(port)).replace("@FOLDER@", str(folder))
        (folder / "RT_SiteConfig.pm").write_text(config)
        own = {"RT_SITE_CONFIG": f"{folder}/RT_SiteConfig.pm", "RT_SITE_CONFIG_DIR": f"{folder}/empty.d"}
        self._env = {**os.environ, **own, "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        self.token = self._seeded()
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [str(SERVER), "--host", "127.0.0.1", "--port", str(port)],
            env=self._env, stdout=self._log, stderr=self._log, start_new_session=True, cwd=folder,
        )  # fmt: skip
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> RequestTracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()

    def get(self, path: str) -> Any:
        """What an outside reader sees below /REST/2.0."""
        headers = {"Authorization": f"token {self.token}"}
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/REST/2.0{path}", headers=headers), timeout=30
        ) as a:
            return json.load(a)

    def say(self, ticket: str, text: str) -> None:
        """Somebody of the desk answers the requestor of a ticket."""
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        body = json.dumps({"Content": text, "ContentType": "text/plain"}).encode()
        url = f"{self.url}/REST/2.0/ticket/{ticket}/correspond"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30):
            pass

    def _seeded(self) -> str:
        seed = self._folder / "seed.pl"
        seed.write_text(SEED)
        done = subprocess.run(
            ["perl", str(seed)], env=self._env, capture_output=True, text=True, timeout=120, cwd=self._folder
        )
        found = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("TOKEN ")]
        if not found:
            raise RuntimeError(f"Request Tracker could not be seeded: {done.stderr[-800:]}")
        return found[0]

    def _wait(self) -> None:
        end = time.monotonic() + 90
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self.get("/queues/all")
                return
            except urllib.error.HTTPError as error:
                raise RuntimeError(f"Request Tracker answers {error.code}") from None
            except OSError:
                time.sleep(0.3)
        raise RuntimeError(f"Request Tracker did not start: {(self._folder / 'server.log').read_text()[-800:]}")

    def _stop(self) -> None:
        # It forks its workers: the whole session that it leads ends with it.
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        self._log.close()
