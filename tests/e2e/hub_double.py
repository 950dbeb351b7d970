"""A hub of models on this machine: the answers of the real one, and a store of large files under another name.

Small files come by a relative redirect with their id in git as ETag; large ones by a redirect to signed addresses of
another host, which takes ranges and refuses a token. What happens to a model is set on its `Repo`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".onnx", ".safetensors", ".bin", ".onnx_data")
SIGNATURE = "X-Amz-Signature=51f9"
_API = re.compile(r"^/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/?]+(?:/pr/\d+)?))?/?$")
_RESOLVE = re.compile(r"^/(?:api/resolve-cache/models/)?([^/]+/[^/]+)/(?:resolve/)?(refs/pr/\d+|[^/]+)/(.+)$")


@dataclass
class Repo:
    """Files by commit, names of commits, and what its owner and the network do."""

    commits: dict[str, dict[str, bytes]]
    names: dict[str, str]
    token: str | None = None  # who has none is told that there is no such model
    gated: bool = False
    lies: frozenset[str] = frozenset()  # files that come with other bytes than were promised
    breaks: list[int] = field(default_factory=list)  # bytes after which the next answers of large files break off
    down: bool = False


@dataclass
class Hub:
    """The repositories, the addresses of both servers, and what was asked: (server, method, path, headers)."""

    repos: dict[str, Repo] = field(default_factory=dict)
    url: str = ""
    store: str = ""
    asked: list[tuple[str, str, str, dict[str, str]]] = field(default_factory=list)

    def paths(self, server: str, method: str = "GET") -> list[str]:
        """What was asked of one server."""
        return [path for name, verb, path, _ in self.asked if (name, verb) == (server, method)]


def git_id(data: bytes) -> str:
    """The name of a file's content in git."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    server_name = ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._take()

    def do_HEAD(self) -> None:
        self._take()

    def _take(self) -> None:
        path = unquote(urlsplit(self.path).path)
        kept = {name.lower(): value for name, value in self.headers.items()}
        self.hub.asked.append((self.server_name, self.command, self.path, kept))
        if any(repo.down for repo in self.hub.repos.values()):
            self.close_connection = True
            return
        self.answer(path)

    def answer(self, path: str) -> None:
        raise NotImplementedError

    def send(self, status: int, headers: dict[str, str], data: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class _Front(_Handler):
    server_name = "hub"

    def answer(self, path: str) -> None:
        api, file = _API.match(path), _RESOLVE.match(path)
        name = api[1] if api else file[1] if file else ""
        repo = self.hub.repos.get(name)
        allowed = repo and (repo.token is None or self.headers.get("Authorization") == f"Bearer {repo.token}")
        if repo is None or not allowed:
            return self.send(401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        asked = (api[3] if api else file[2] if file else None) or "main"
        commit = repo.names.get(asked, asked)
        if commit not in repo.commits:
            return self.send(404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": f"Invalid rev id: {asked}"})
        if api:
            return self._told(api[2] == "tree", name, commit, repo)
        return self._file(path, str(file[3]) if file else "", commit, repo)

    def _told(self, tree: bool, name: str, commit: str, repo: Repo) -> None:
        listed = [_entry(path, data, tree) for path, data in repo.commits[commit].items()]
        whole = {"_id": "1", "id": name, "modelId": name, "sha": commit, "private": repo.token is not None}
        said: Any = listed if tree else {**whole, "gated": "manual" if repo.gated else False, "siblings": listed}
        self.send(200, {"Content-Type": "application/json"}, json.dumps(said).encode())

    def _file(self, path: str, name: str, commit: str, repo: Repo) -> None:
        data, head = repo.commits[commit].get(name), {"X-Repo-Commit": commit}
        if data is None:
            return self.send(404, {**head, "X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        if repo.gated:
            status = 403 if self.headers.get("Authorization") else 401
            return self.send(status, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
        if name.endswith(LARGE):
            digest = hashlib.sha256(data).hexdigest()
            linked = {"X-Linked-Size": str(len(data)), "X-Linked-ETag": f'"{digest}"'}
            return self.send(302, {**head, **linked, "Location": f"{self.hub.store}/{digest}?{SIGNATURE}"})
        if not path.startswith("/api/"):
            repo_name = next(known for known, one in self.hub.repos.items() if one is repo)
            return self.send(307, {**head, "Location": f"/api/resolve-cache/models/{repo_name}/{commit}/{name}"})
        sent = data.swapcase() if name in repo.lies else data
        return self.send(200, {**head, "ETag": f'"{git_id(data)}"'}, sent)


class _Store(_Handler):
    server_name = "store"

    def answer(self, path: str) -> None:
        if self.headers.get("Authorization"):
            return self.send(400, {}, b"Only one auth mechanism allowed")
        for repo in self.hub.repos.values():
            for files in repo.commits.values():
                for name, data in files.items():
                    if hashlib.sha256(data).hexdigest() == path.removeprefix("/"):
                        return self._range(data[::-1] if name in repo.lies else data, repo)
        return self.send(404, {})

    def _range(self, data: bytes, repo: Repo) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(asked[1]) if asked else 0
        part, whole = data[start:], {"Content-Length": str(len(data) - start), "Accept-Ranges": "bytes"}
        if asked:
            whole["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if repo.breaks:
            self.close_connection = True
            part = part[: repo.breaks.pop(0)]
        self.send(206 if asked else 200, whole, part)


def _entry(path: str, data: bytes, tree: bool) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    large = path.endswith(LARGE)
    if tree:
        own = {"lfs": {"oid": digest, "size": len(data), "pointerSize": 130}} if large else {}
        return {"type": "file", "path": path, "oid": git_id(data), "size": len(data), **own}
    own = {"lfs": {"sha256": digest, "size": len(data), "pointerSize": 130}} if large else {}
    return {"rfilename": path, "blobId": git_id(data), "size": len(data), **own}


@contextmanager
def serving() -> Iterator[Hub]:
    """Both servers on this machine, under different names."""
    hub = Hub()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (kind,), {"hub": hub})) for kind in (_Front, _Store)]
    for server in servers:
        Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{servers[0].server_address[1]}"
    hub.store = f"http://localhost:{servers[1].server_address[1]}"
    yield hub
    for server in servers:
        server.shutdown()
        server.server_close()


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
