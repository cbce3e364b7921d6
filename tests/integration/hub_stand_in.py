"""A small stand-in for the Hugging Face hub: takes what is pushed, and remembers who was let in with which token."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, cast


@dataclass
class Hub:
    """What arrived.

    Attributes:
        address: to set as HF_ENDPOINT.
        token: that may write.
        repositories: name -> whether it is private.
        files: name within the repository -> content.
        refused: paths of requests without the token.
    """

    token: str
    address: str = ""
    repositories: dict[str, bool] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@contextmanager
def running_hub(token: str) -> Iterator[Hub]:
    """Serve on the loopback device until the block ends."""
    hub = Hub(token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") != f"Bearer {hub.token}":
                hub.refused.append(self.path)
                self._answer(401, {"error": "no"})
            elif self.path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                hub.repositories[name] = asked.get("visibility") == "private"
                self._answer(200, {"url": f"{hub.address}/{name}", "id": name})
            elif self.path == "/api/validate-yaml":
                self._answer(200, {"errors": [], "warnings": []})
            elif "/preupload/" in self.path:
                asked = json.loads(body)["files"]
                modes = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in asked]
                self._answer(200, {"files": modes})
            elif "/commit/" in self.path:
                self._commit(body)
            else:
                self._answer(404, {"error": self.path})

        def _commit(self, body: bytes) -> None:
            for line in body.splitlines():
                entry = cast(dict[str, Any], json.loads(line))
                if entry["key"] == "file":
                    hub.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            commit = {"success": True, "commitUrl": f"{hub.address}/me/mine/commit/abc", "commitOid": "abc"}
            self._answer(200, commit | {"hookOutput": ""})

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
