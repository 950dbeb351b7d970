"""A real django-machina forum on loopback: topics of several pages in Ukrainian, its HTML and its feed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from servers.venv import Server, environment, free_port

SETTINGS = """
import os
from machina import MACHINA_MAIN_STATIC_DIR, MACHINA_MAIN_TEMPLATE_DIR
SECRET_KEY = "test only"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib." + app for app in
                  ("auth", "contenttypes", "sessions", "sites", "messages", "staticfiles", "humanize")]
INSTALLED_APPS += ["mptt", "haystack", "widget_tweaks", "machina"]
INSTALLED_APPS += ["machina.apps." + app for app in (
    "forum", "forum_conversation", "forum_conversation.forum_attachments", "forum_conversation.forum_polls",
    "forum_feeds", "forum_moderation", "forum_search", "forum_tracking", "forum_member", "forum_permission")]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware",
              "django.contrib.messages.middleware.MessageMiddleware",
              "machina.apps.forum_permission.middleware.ForumPermissionMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [MACHINA_MAIN_TEMPLATE_DIR],
              "APP_DIRS": True,
              "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                                 "django.contrib.auth.context_processors.auth",
                                                 "django.contrib.messages.context_processors.messages",
                                                 "machina.core.context_processors.metadata"]}}]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
          "machina_attachments": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
ROOT_URLCONF = "forum_urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["FORUM_DB"],
                         "OPTIONS": {"timeout": 20}}}
SITE_ID = 1
USE_TZ = True
TIME_ZONE = "Europe/Kyiv"
LANGUAGE_CODE = "uk"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
LOGGING = {"version": 1, "disable_existing_loggers": True}
"""
URLS = """
from django.urls import include, path
urlpatterns = [path("forum/", include("machina.urls"))]
"""
BEGIN = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from machina.apps.forum.models import Forum
from machina.apps.forum_permission.models import ForumPermission, UserForumPermission
forum = Forum.objects.create(type=Forum.FORUM_POST, name="Банки та оплата")
for name in ("can_see_forum", "can_read_forum"):
    permission, _ = ForumPermission.objects.get_or_create(codename=name)
    UserForumPermission.objects.create(permission=permission, anonymous_user=True, has_perm=True)
"""
SAY = """
import json, sys, django
django.setup()
from django.contrib.auth.models import User
from machina.apps.forum.models import Forum
from machina.apps.forum_conversation.models import Post, Topic
for topic, author, text in json.load(sys.stdin):
    poster, _ = User.objects.get_or_create(username=author)
    found = Topic.objects.filter(subject=topic).first() or Topic.objects.create(
        forum=Forum.objects.get(), subject=topic, poster=poster, type=Topic.TOPIC_POST, status=Topic.TOPIC_UNLOCKED,
        approved=True)
    post = Post.objects.create(topic=found, poster=poster, subject=topic, content=text, approved=True)
    print(post.id)
"""
EDIT = """
import json, sys, django
django.setup()
from machina.apps.forum_conversation.models import Post
number, text = json.load(sys.stdin)
post = Post.objects.get(id=number)
post.content = text
post.save()
"""


class Machina(Server):
    """A forum with one board that anybody may read."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._python = environment("machina", ["django-machina==1.3.1", "Django<5.3", "waitress>=3"])
        (folder / "forum_settings.py").write_text(SETTINGS)
        (folder / "forum_urls.py").write_text(URLS)
        self._env = {
            "PYTHONPATH": str(folder),
            "DJANGO_SETTINGS_MODULE": "forum_settings",
            "FORUM_DB": str(folder / "forum.sqlite3"),
        }
        self._django(BEGIN)
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        serve = [str(self._python), "-m", "waitress", f"--listen=127.0.0.1:{port}", "--call"]
        self.serve([*serve, "django.core.wsgi:get_wsgi_application"], folder, self._env, "/forum/")

    def say(self, *posts: tuple[str, str, str]) -> list[int]:
        """Add posts, (topic, author, text) each; a topic begins with its first post. Returns their numbers."""
        return [int(line) for line in self._django(SAY, json.dumps(posts)).split()]

    def edit(self, number: int, text: str) -> None:
        """Change the text of a post."""
        self._django(EDIT, json.dumps([number, text]))

    def _django(self, code: str, given: str = "") -> str:
        done = subprocess.run(
            [str(self._python), "-c", code], env=self._env, input=given, capture_output=True, text=True, timeout=120
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-800:])
        return done.stdout
