"""A real django-helpdesk on loopback, in a virtual environment of its own below `.cache/venvs` of the project.

`python tests/e2e/servers/django_helpdesk.py` builds the environment only; tests use `environment()` and `Helpdesk`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

REQUIREMENTS = ["django-helpdesk[rest]==2.6.1", "djangorestframework>=3.15", "waitress>=3"]
ROOT = Path(__file__).resolve().parents[3] / ".cache" / "venvs" / "django-helpdesk"

SETTINGS = """
import os
SECRET_KEY = "test only"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib." + app for app in
                  ("admin", "auth", "contenttypes", "sessions", "sites", "messages", "staticfiles", "humanize")]
INSTALLED_APPS += ["helpdesk", "rest_framework", "rest_framework.authtoken"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware",
              "django.contrib.messages.middleware.MessageMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
              "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                                 "django.contrib.auth.context_processors.auth",
                                                 "django.contrib.messages.context_processors.messages"]}}]
ROOT_URLCONF = "desk_urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DESK_DB"],
                         "OPTIONS": {"timeout": 20}}}
SITE_ID = 1
USE_TZ = True
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
HELPDESK_TEAMS_MODE_ENABLED = False
REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication",
                                                     "rest_framework.authentication.BasicAuthentication"]}
LOGGING = {"version": 1, "disable_existing_loggers": True}
"""
URLS = """
from django.contrib import admin
from django.urls import include, path
urlpatterns = [path("admin/", admin.site.urls), path("", include("helpdesk.urls", namespace="helpdesk"))]
"""
SEED = """
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", verbosity=0)
from helpdesk.models import CustomField, Queue
from rest_framework.authtoken.models import Token
user = User.objects.create_superuser("robot", "robot@example.test", "pw-of-robot")
queue = Queue.objects.create(slug="mentions", title="Mentions")
CustomField.objects.create(name="external_id", label="Key", data_type="varchar", max_length=200, ordering=1,
                           required=False)
print(queue.id, Token.objects.create(user=user).key)
"""
RENDER = """
import sys, django
django.setup()
from helpdesk.models import Ticket
print(Ticket.objects.get(id=int(sys.argv[1])).get_markdown())
"""


def environment() -> Path:
    """The environment's Python, built on first use. Raises RuntimeError with pip's words when it cannot be built."""
    python = ROOT / "bin" / "python"
    stamp = ROOT / "installed.txt"
    wanted = "\n".join(REQUIREMENTS)
    if stamp.is_file() and stamp.read_text() == wanted and python.exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", str(ROOT)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"django-helpdesk cannot be installed: {done.stderr[-500:]}")
    stamp.write_text(wanted)
    return python


class Helpdesk:
    """One running server with an empty database; `dead_webhook` makes each create answer 500 after storing."""

    def __init__(self, python: Path, folder: Path, *, dead_webhook: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "desk_settings.py").write_text(SETTINGS)
        (folder / "desk_urls.py").write_text(URLS)
        self._python, self._folder = python, folder
        self._env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(folder),
            "DJANGO_SETTINGS_MODULE": "desk_settings",
            "DESK_DB": str(folder / "desk.sqlite3"),
        }
        queue, self.token = self._django(SEED).split()
        self.queue = int(queue)
        if dead_webhook:
            self._env["HELPDESK_NEW_TICKET_WEBHOOK_URLS"] = f"http://127.0.0.1:{_free_port()}/"
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        serve = [str(python), "-m", "waitress", f"--listen=127.0.0.1:{port}", "--call"]
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [*serve, "django.core.wsgi:get_wsgi_application"], env=self._env, stdout=self._log, stderr=self._log
        )
        self._wait()

    def __enter__(self) -> Helpdesk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

    def tickets(self) -> list[dict[str, Any]]:
        """Every ticket, as an outside reader sees them."""
        return list(self._get("/api/tickets/?page_size=10000")["results"])

    def ticket(self, number: str) -> dict[str, Any]:
        return dict(self._get(f"/api/tickets/{number}/"))

    def rendered(self, number: str) -> str:
        """The description as the helpdesk shows it, in HTML."""
        return self._django(RENDER, number)

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Token {self.token}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def _django(self, code: str, *args: str) -> str:
        command = [str(self._python), "-c", code, *args]
        return subprocess.run(command, env=self._env, check=True, capture_output=True, text=True, timeout=120).stdout

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                self._get("/api/tickets/")
                return
            except OSError:
                time.sleep(0.1)
        self._process.kill()
        self._process.wait(10)
        raise RuntimeError(f"django-helpdesk did not start: {(self._folder / 'server.log').read_text()[-500:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


if __name__ == "__main__":
    print(environment())
