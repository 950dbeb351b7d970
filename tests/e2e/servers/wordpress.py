"""A real WordPress of Debian on loopback: PHP's own server, a MariaDB and a database of its own, seeded by its own API.

Installed by `tools/servers.sh` when it runs as root; nothing of the system's own sites or databases is touched.
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

SITE = Path("/usr/share/wordpress")
DAEMON = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
INSTALL = shutil.which("mariadb-install-db") or "/usr/bin/mariadb-install-db"

CONFIG = """<?php
define('DB_NAME', 'wp'); define('DB_USER', 'wp'); define('DB_PASSWORD', 'wp');
define('DB_HOST', 'localhost:@FOLDER@/db.sock'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('WP_HTTP_BLOCK_EXTERNAL', true); define('DISABLE_WP_CRON', true); define('WP_ENVIRONMENT_TYPE', 'local');
define('WP_SITEURL', 'http://127.0.0.1:@PORT@'); define('WP_HOME', 'http://127.0.0.1:@PORT@');
define('AUTOMATIC_UPDATER_DISABLED', true); define('WP_CONTENT_DIR', '@FOLDER@/site/wp-content');
foreach (['AUTH_KEY','SECURE_AUTH_KEY','LOGGED_IN_KEY','NONCE_KEY','AUTH_SALT','SECURE_AUTH_SALT','LOGGED_IN_SALT',
    'NONCE_SALT'] as $name) { define($name, 'of a test, kept nowhere'); }
$table_prefix = 'wp_';
if (!defined('ABSPATH')) { define('ABSPATH', '@FOLDER@/site/'); }
require_once ABSPATH . 'wp-settings.php';
"""
SEED = """<?php
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = '127.0.0.1:@PORT@'; $_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD'] = 'GET';
require '@FOLDER@/site/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Ладна', 'ada', 'ada@example.test', true, '', 'not-kept-anywhere');
update_option('comment_moderation', 0); update_option('comment_previously_approved', 0);
update_option('posts_per_rss', 50); update_option('timezone_string', 'Europe/Kyiv');
update_option('comment_max_links', 0); update_option('permalink_structure', '');
list($password) = WP_Application_Passwords::create_new_application_password(1, ['name' => 'test']);
echo "PASSWORD $password\\n";
"""
COMMENTS = """<?php
$_SERVER["HTTP_HOST"] = "127.0.0.1:@PORT@"; $_SERVER["REQUEST_METHOD"] = "GET";
$_SERVER["SERVER_PROTOCOL"] = "HTTP/1.1";
require '@FOLDER@/site/wp-load.php';
$rows = json_decode(file_get_contents('php://stdin'), true);
foreach ($rows as $number => $row) {
    $at = time() - 2 * (count($rows) - $number);
    wp_insert_comment(['comment_post_ID' => $row['post'], 'comment_author' => $row['author'],
        'comment_content' => $row['text'], 'comment_approved' => 1, 'comment_date_gmt' => gmdate('Y-m-d H:i:s', $at),
        'comment_date' => get_date_from_gmt(gmdate('Y-m-d H:i:s', $at))]);
}
"""
# PHP's server serves files that are there; the rest is WordPress.
ROUTER = """<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path !== '/' && is_file(__DIR__ . '/site' . $path)) { return false; }
chdir(__DIR__ . '/site'); $_SERVER['SCRIPT_NAME'] = '/index.php'; $_SERVER['PHP_SELF'] = '/index.php';
require __DIR__ . '/site/index.php';
"""


def installed() -> bool:
    """Whether WordPress, PHP with its MySQL driver, and MariaDB are there."""
    if not (SITE / "wp-load.php").is_file() or not Path(DAEMON).exists() or shutil.which("php") is None:
        return False
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, timeout=30, check=False).stdout
    return "mysqli" in modules


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


class WordPress:
    """One running site with an administrator and no words but those of the test."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._running = folder, list[subprocess.Popen[bytes]]()
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        try:
            self._database()
            self._site()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> WordPress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of its REST API as the administrator; a body is posted."""
        pair = base64.b64encode(f"ada:{self._password}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/index.php?rest_route=/wp/v2/{path}", data, headers), timeout=60
        ) as answer:
            return json.load(answer)

    def post(self, title: str, text: str) -> int:
        """A published post."""
        return int(self.api("posts", {"title": title, "content": text, "status": "publish"})["id"])

    def comment(self, post: int, author: str, text: str, parent: int = 0) -> int:
        """An approved comment of a reader."""
        said = {
            "post": post,
            "author_name": author,
            "author_email": f"{abs(hash(author))}@example.test",
            "content": text,
        }
        return int(self.api("comments", {**said, "parent": parent, "status": "approve"})["id"])

    def comments(self, post: int, said: dict[str, str]) -> None:
        """Many approved comments, author by author, a second apart; by WordPress's own function, in one go."""
        rows = [{"post": post, "author": author, "text": text} for author, text in said.items()]
        script = self._folder / "comments.php"
        script.write_text(COMMENTS.replace("@FOLDER@", str(self._folder)).replace("@PORT@", str(self._port)), "utf-8")
        subprocess.run(
            ["php", str(script)], input=json.dumps(rows).encode(), capture_output=True, timeout=400, check=True
        )

    def edit(self, comment: int, text: str) -> None:
        """Other words for a comment."""
        self.api(f"comments/{comment}", {"content": text})

    def stop(self) -> None:
        """End both servers and all that they started."""
        for process in reversed(self._running):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)

    def _database(self) -> None:
        # MariaDB refuses to run as root: its own user does, and owns what it writes.
        user = pwd.getpwnam("mysql") if os.getuid() == 0 else None
        data = self._folder / "db"
        data.mkdir()
        if user is not None:
            for place in (self._folder, data):
                os.chown(place, user.pw_uid, user.pw_gid)
        who = [f"--user={user.pw_name}"] if user else []
        subprocess.run(
            [INSTALL, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *who],
            capture_output=True, timeout=400, check=True,
        )  # fmt: skip
        self._begin([
            DAEMON, "--no-defaults", f"--datadir={data}", f"--socket={self._folder}/db.sock", "--skip-networking",
            "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", f"--pid-file={self._folder}/db.pid",
            *who,
        ])  # fmt: skip
        make = "CREATE DATABASE wp; CREATE USER wp@localhost IDENTIFIED BY 'wp'; GRANT ALL ON wp.* TO wp@localhost;"
        client = ["mariadb", "--no-defaults", f"--socket={self._folder}/db.sock", "-u", "root", "-e", make]
        self._until(lambda: subprocess.run(client, capture_output=True, timeout=30, check=False).returncode == 0)

    def _site(self) -> None:
        site = self._folder / "site"
        shutil.copytree(SITE, site, symlinks=False, ignore_dangling_symlinks=True)
        (site / "wp-content").mkdir(exist_ok=True)
        for name, text in (("site/wp-config.php", CONFIG), ("seed.php", SEED), ("router.php", ROUTER)):
            filled = text.replace("@FOLDER@", str(self._folder)).replace("@PORT@", str(self._port))
            (self._folder / name).unlink(missing_ok=True)
            (self._folder / name).write_text(filled, encoding="utf-8")
        done = subprocess.run(
            ["php", str(self._folder / "seed.php")], capture_output=True, text=True, timeout=400, check=False
        )
        found = [line.split(" ", 1)[1] for line in done.stdout.splitlines() if line.startswith("PASSWORD ")]
        if not found:
            raise RuntimeError(f"WordPress could not be installed: {done.stdout[-600:]} {done.stderr[-600:]}")
        self._password = found[0]
        self._begin(["php", "-S", f"127.0.0.1:{self._port}", "-t", str(site), str(self._folder / "router.php")])
        self._until(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.api("posts") is not None)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"WordPress answers {error.code}: {error.read()[:300]!r}") from None
        except OSError:
            return False

    def _begin(self, command: list[str]) -> None:
        log = (self._folder / f"{Path(command[0]).name}.log").open("wb")
        self._running.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd="/"))
        log.close()

    def _until(self, ready: Any, seconds: float = 300.0) -> None:
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end or self._running[-1].poll() is not None:
                logs = " ".join(path.read_text("utf-8", "replace")[-400:] for path in self._folder.glob("*.log"))
                raise RuntimeError(f"{self._running[-1].args!r} did not start: {logs}")
            time.sleep(0.2)
