"""A hub with one data set, on this machine: as much of its API as `datasets` asks for.

Run as a script it prints its port and serves until it is ended.
"""

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

NAME = "someone/news"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = """---
configs:
- config_name: small
  data_files:
  - split: train
    path: small/train.csv
  - split: validation_matched
    path: small/matched.csv
- config_name: large
  data_files:
  - split: train
    path: large/train.csv
---
News.
"""
FILES = {
    "README.md": CARD,
    "small/train.csv": "text,label\n" + "".join(f"story number {n},{n % 2}\n" for n in range(40)),
    "small/matched.csv": "text,label\n" + "".join(f"another story {n},{n % 2}\n" for n in range(10)),
    "large/train.csv": "text,label\nlarge,1\n",
}


def _info() -> dict[str, object]:
    siblings = [{"rfilename": path} for path in FILES]
    return {"id": NAME, "sha": COMMIT, "private": False, "gated": False, "tags": [], "siblings": siblings}


def _entry(path: str) -> dict[str, object]:
    content = FILES[path].encode()
    return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


def _tree(folder: str) -> list[dict[str, object]]:
    inside = f"{folder}/" if folder else ""
    paths = [path for path in FILES if path.startswith(inside)]
    folders = {path[len(inside) :].split("/")[0] for path in paths if "/" in path[len(inside) :]}
    listed: list[dict[str, object]] = [{"type": "directory", "path": inside + one, "oid": COMMIT} for one in folders]
    return listed + [_entry(path) for path in paths if "/" not in path[len(inside) :]]


class FakeHub(BaseHTTPRequestHandler):
    """Answers what is asked about `NAME`; all else is not there."""

    def do_GET(self) -> None:
        """A file, or what is known about the repository."""
        path = urlsplit(self.path).path
        api, kept = f"/api/datasets/{NAME}", f"/datasets/{NAME}/resolve/{COMMIT}/"
        if path in (api, f"{api}/revision/main", f"{api}/revision/{COMMIT}"):
            self._json(_info())
        elif path.startswith(f"{api}/tree/"):
            self._json(_tree(path.removeprefix(f"{api}/tree/").partition("/")[2]))
        elif path.removeprefix(kept) in FILES:
            self._file(FILES[path.removeprefix(kept)].encode())
        else:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """What is known about some paths."""
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        paths = json.loads(asked).get("paths", []) if "/paths-info/" in self.path else []
        self._json([_entry(path) for path in paths if path in FILES])

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _file(self, content: bytes) -> None:
        self._answer(200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def serve() -> ThreadingHTTPServer:
    """The server, bound to a free port and not yet running."""
    return ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
