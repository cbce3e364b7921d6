"""Reads the whole catalogue, checks it, and shows every fault at once."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from autopeft.catalog.checks import CatalogFiles, check_references, twice
from autopeft.catalog.contents import Catalog
from autopeft.catalog.evidence_schema import EvidenceSchema
from autopeft.catalog.hardware_schema import HardwareSchema
from autopeft.catalog.locate import search_spaces_root
from autopeft.catalog.method_schema import MethodSchema
from autopeft.catalog.model_schema import ArchitectureSchema, ModelsSchema
from autopeft.catalog.own_folder import misplaced, require_folder
from autopeft.catalog.problems import BrokenFileError, Problem, raise_problems
from autopeft.catalog.rule_schema import RulesSchema
from autopeft.catalog.schema import Strict, problems_of
from autopeft.catalog.source_file import SourceFile, read_source_file
from autopeft.catalog.task_schema import TaskSchema

Schema = TypeVar("Schema", bound=Strict)
Value = TypeVar("Value")


def load_catalog(root: Path | None = None, *, beside: str | Path | None = None) -> Catalog:
    """The catalogue under `root`, read once per process.

    Args:
        root: the folder `search_spaces`; by default the one that belongs to the package.
        beside: a user's own folder of the same layout. It adds to the other one and replaces nothing in it; it is
            read anew each time, since its owner may be writing it.

    Raises:
        CatalogError: at least one file is broken; one line for each fault in each file.
    """
    shipped = (search_spaces_root() if root is None else root).resolve()
    return _load(shipped) if beside is None else _read((shipped, require_folder(Path(beside).expanduser())))


@cache
def _load(root: Path) -> Catalog:
    return _read((root,))


def _read(roots: tuple[Path, ...]) -> Catalog:
    reader = _FolderReader(roots)
    methods = reader.read("methods", MethodSchema)
    tasks = reader.read("tasks", TaskSchema)
    architectures = reader.read("architectures", ArchitectureSchema)
    model_files = reader.read("models", ModelsSchema)
    rule_files = reader.read("rules", RulesSchema)
    evidence = reader.read("evidence", EvidenceSchema)
    gpus = reader.read("gpus", HardwareSchema)
    files = CatalogFiles(methods, tasks, architectures, model_files, rule_files, reader.names)
    problems = reader.problems + check_references(files)
    for kind, described in (("architecture", architectures), ("evidence", evidence), ("device", gpus)):
        problems += twice(kind, ((entry.id, file, ("id",)) for file, entry in described))
    for own in roots[1:]:
        problems += misplaced(own, frozenset(reader.names))
    for entries in (methods, tasks, architectures, evidence, gpus):
        problems += [_misnamed(file) for file, entry in entries if entry.id != Path(file.shown).stem]
    raise_problems(problems)
    models = {name: model for _, entry in model_files for name, model in entry.to_domain().items()}
    return Catalog(
        methods=_by_id(entry.to_domain() for _, entry in _candidates_first(methods)),
        tasks=_by_id(entry.to_domain() for _, entry in tasks),
        rules=_by_id(rule.to_domain() for _, entry in rule_files for rule in entry.rules),
        architectures=_by_id(entry.to_domain() for _, entry in architectures),
        models=MappingProxyType({name: model for name, (model, _) in models.items()}),
        model_parameters=MappingProxyType({name: count for name, (_, count) in models.items()}),
        evidence=_by_id(entry.to_domain() for _, entry in evidence),
        aliases=MappingProxyType(
            {alias: entry.id for _, entry in methods for alias in entry.aliases}
            | {alias: entry.id for _, entry in tasks for alias in entry.aliases}
            | {alias: entry.id for _, entry in gpus for alias in entry.aliases}
        ),
        gpus=_by_id(entry.to_domain() for _, entry in gpus),
        suggested_models=tuple(name for _, entry in model_files for name in entry.suggested()),
    )


def _misnamed(file: SourceFile) -> Problem:
    return file.problem(("id",), f"the file must be named after the id: {file.values['id']}.yaml")


def _candidates_first(
    methods: list[tuple[SourceFile, MethodSchema]],
) -> list[tuple[SourceFile, MethodSchema]]:
    return sorted(methods, key=lambda pair: pair[1].role != "candidate")


def _by_id(entries: Any) -> Mapping[str, Any]:
    return MappingProxyType({entry.id: entry for entry in entries})


def _shown(path: Path, root: Path) -> str:
    return f"{root.name}/{path.relative_to(root).as_posix()}"


class _FolderReader:
    """Reads the folders of the catalogue and gathers what is wrong with their files."""

    def __init__(self, roots: tuple[Path, ...]) -> None:
        self._roots = roots
        self.names: dict[str, frozenset[str]] = {}
        self.problems: list[Problem] = []

    def read(self, folder: str, schema: type[Schema]) -> list[tuple[SourceFile, Schema]]:
        """Every YAML file of a folder that could be read, by name; the others leave a problem behind."""
        found = []
        self.names[folder] = frozenset(path.stem for root in self._roots for path in (root / folder).glob("*.yaml"))
        for root in self._roots:
            for path in sorted((root / folder).glob("*.yml")):
                shown = _shown(path, root)
                self.problems.append(Problem(shown, 1, "", "the file's name must end in .yaml"))
            for path in sorted((root / folder).glob("*.yaml")):
                file = self._source(path, root)
                entry = self._validated(file, schema) if file else None
                if file and entry:
                    found.append((file, entry))
        return found

    def _source(self, path: Path, root: Path) -> SourceFile | None:
        try:
            return read_source_file(path, _shown(path, root))
        except BrokenFileError as error:
            self.problems.append(error.problem)
            return None

    def _validated(self, file: SourceFile, schema: type[Schema]) -> Schema | None:
        if not isinstance(file.values, dict):
            self.problems.append(file.problem((), "a mapping of fields is expected"))
            return None
        try:
            return schema.model_validate(file.values)
        except ValidationError as error:
            self.problems += problems_of(error, file)
            return None
