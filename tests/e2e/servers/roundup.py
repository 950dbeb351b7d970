"""A real Roundup on loopback: its classic tracker, with a field for our key as its administrator would add it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from servers.venv import Server, environment, free_port

PASSWORD = "pw-of-robot"
INI = """[main]
admin_email = admin@example.test
dispatcher_email = admin@example.test
database = db
template_engine = zopetal
templates = html
indexer = native
password_pbkdf2_default_rounds = 1000
[tracker]
name = test
web = {url}/
email = desk@example.test
[web]
enable_rest = yes
api_failed_login_limit = 0
[rdbms]
backend = sqlite
name = roundup
[mail]
domain = example.test
host = localhost
debug = {folder}/mail.txt
"""
# Its own server does not run as root, as some test machines do; its WSGI application runs anywhere.
SERVE = """
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from roundup.cgi.wsgi_handler import RequestDispatcher
class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass
server = Server(("127.0.0.1", int(sys.argv[1])), Quiet)
server.set_app(RequestDispatcher(sys.argv[2]))
server.serve_forever()
"""


class Roundup(Server):
    """Roundup with the user `robot`. Its issues have `outside`, a text for the key of another system."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        python = environment("roundup", ["roundup==2.6.0"])
        self.url = f"http://127.0.0.1:{free_port()}"
        self._admin, self._tracker = [str(python), str(python.with_name("roundup-admin"))], folder / "tracker"
        self._run("install", "classic", "sqlite", "main=x", code=None)
        (self._tracker / "config.ini").write_text(INI.format(url=self.url, folder=folder))
        schema = self._tracker / "schema.py"
        text = schema.read_text()
        schema.write_text(re.sub(r'(issue = IssueClass\(db, "issue",)', r"\1 outside=String(indexme='no'),", text))
        self._run("initialise", "admin-pw")
        self._run(
            "create", "user", "username=robot", f"password={PASSWORD}", "roles=User", "address=robot@example.test"
        )
        port = self.url.rpartition(":")[2]
        self.serve([str(python), "-c", SERVE, port, str(self._tracker)], folder, ready="/rest/")

    def data(self, path: str) -> Any:
        """What an outside reader sees below /rest/data."""
        pair = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(f"{self.url}/rest/data{path}", headers={"Authorization": f"Basic {pair}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)["data"]

    def answer(self, issue: str, text: str) -> None:
        """Somebody of the desk writes into an issue."""
        made = self._out("create", "msg", f"content={text}", "author=admin", "date=.")
        held = [one["id"] for one in self.data(f"/issue/{issue}")["attributes"]["messages"]]
        self._run("set", f"issue{issue}", f"messages={','.join([*held, made])}")

    def _out(self, *command: str) -> str:
        whole = [*self._admin, "-i", str(self._tracker), *command]
        return subprocess.run(whole, capture_output=True, text=True, timeout=120, check=True).stdout.strip()

    def _run(self, *command: str, code: int | None = 0) -> None:
        done = subprocess.run(
            [*self._admin, "-i", str(self._tracker), *command], capture_output=True, text=True, timeout=120
        )
        if code is not None and done.returncode != code:
            raise RuntimeError(f"roundup-admin {command[0]}: {(done.stdout + done.stderr)[-800:]}")
