"""Checksums of a model's or an adapter's files: whether what is read now is what was read then."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import BinaryIO

from autopeft.errors import ModelError

# Reading more than this for a checksum would be felt beside loading the model.
WHOLE_BYTES = 2**30
EDGE_BYTES = 2**20
SAMPLES = 256
SAMPLE_BYTES = 2**18
# What the format allows at most.
_GREATEST_HEADER_BYTES = 100_000_000
# What transformers and peft read of a folder; cards, logs and other people's files may come and go.
_READ = (
    *("*.safetensors", "*.safetensors.index.json", "config.json", "adapter_config.json", "generation_config.json"),
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "*vocab*.json", "vocab.*", "merges.txt"),
    *("chat_template.*", "*.model", "*.spm", "*.tiktoken", "tekken.json", "dict.txt", "bpe.codes"),
)


def checksums(folder: Path) -> dict[str, str]:
    """File name -> checksum of what is loaded of a folder: weights, configs and the tokenizer's files.

    A file of up to `WHOLE_BYTES` has `sha256:` and that of its bytes. A larger one has `sampled-sha256:` and that of
    its size, its safetensors header, its first and last `EDGE_BYTES`, and `SAMPLES` blocks of `SAMPLE_BYTES` spread
    evenly over it: a model that was trained further or exchanged is noticed, a few bytes changed between the blocks
    are not.

    Args:
        folder: of a base model or an adapter. Where it lies, and since when, is not part of the checksums.

    Raises:
        ModelError: a file cannot be read.
    """
    try:
        files = sorted({path for pattern in _READ for path in folder.glob(pattern) if path.is_file()})
        return {path.name: _of_file(path, *_state(path.stat())) for path in files}
    except OSError as error:
        message = f"the files in {folder} cannot be read: {error.strerror}"
        raise ModelError(message, hint="are they yours to read?") from error


def difference(before: Mapping[str, object], now: Mapping[str, object]) -> str | None:
    """What happened to the first file, by name, that is not what it was; None where all of them are."""
    changed = next((name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)), None)
    if changed is None:
        return None
    return f"{changed} {'is missing' if changed not in now else 'is new' if changed not in before else 'has changed'}"


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


@cache
def _of_file(path: Path, size: int, *_seen: int) -> str:
    """The checksum of a file; its state on the disk says when it has to be read again."""
    with path.open("rb") as stream:
        if size <= WHOLE_BYTES:
            return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
        digest = hashlib.sha256(f"{size}\n".encode())
        for start, count in _pieces(stream, size):
            stream.seek(start)
            digest.update(stream.read(count))
    return "sampled-sha256:" + digest.hexdigest()


def _pieces(stream: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Where the pieces of a large file begin, and how long they are."""
    header = 8 + int.from_bytes(stream.read(8), "little")
    yield 0, min(header, _GREATEST_HEADER_BYTES)
    yield 0, EDGE_BYTES
    yield size - EDGE_BYTES, EDGE_BYTES
    for place in range(SAMPLES):
        yield (size - SAMPLE_BYTES) * place // (SAMPLES - 1), SAMPLE_BYTES
