"""A PostgreSQL server of one's own, in a temporary folder, run by an unprivileged user."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "secret-word"
NOBODY = "nobody"


@dataclass
class Cluster:
    """The server and where it lies."""

    folder: Path
    port: int
    user: str | None

    @property
    def url(self) -> str:
        """Its address, with the password."""
        return f"postgresql://tester:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        self._run(_needed("pg_ctl"), "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it as a crash would."""
        self._run(_needed("pg_ctl"), "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")

    def make(self) -> None:
        """Write the files of an empty server."""
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        authentication = ("--pwfile", str(password), "--auth", "scram-sha-256")
        self._run(_needed("initdb"), "-D", str(self.folder / "data"), "-U", "tester", *authentication, "-N")

    def _run(self, *command: str) -> None:
        subprocess.run(
            command, check=True, user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )


def tool(name: str) -> str | None:
    """A program of PostgreSQL's, which Debian keeps out of the path."""
    return shutil.which(name) or next((str(p) for p in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A server that runs within the block."""
    # Not in pytest's folders, which let no other user in.
    with tempfile.TemporaryDirectory(prefix="autopeft-postgres-") as name:
        made = Cluster(Path(name), free_port(), NOBODY if os.getuid() == 0 else None)
        if made.user:
            shutil.chown(name, made.user)
        made.make()
        made.start()
        try:
            yield made
        finally:
            made.stop()


def _needed(name: str) -> str:
    found = tool(name)
    if found is None:
        raise FileNotFoundError(f"PostgreSQL's {name} is not installed")
    return found
