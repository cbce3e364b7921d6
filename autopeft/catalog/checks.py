"""Checks across files: ids that others name exist, nothing is described twice, conditions can be read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autopeft.catalog.method_schema import MethodSchema
from autopeft.catalog.model_schema import ArchitectureSchema, ModelsSchema
from autopeft.catalog.problems import Problem
from autopeft.catalog.rule_checks import check_rule, placed
from autopeft.catalog.rule_conflicts import conflicts
from autopeft.catalog.rule_schema import RuleSchema, RulesSchema
from autopeft.catalog.source_file import FieldPath, SourceFile
from autopeft.catalog.task_schema import TaskSchema

Named = tuple[str, SourceFile, FieldPath]


@dataclass(frozen=True, slots=True)
class CatalogFiles:
    """The files of a catalogue that could be read, each with its content.

    Attributes:
        methods: of `methods/`.
        tasks: of `tasks/`.
        architectures: of `architectures/`.
        models: of `models/`.
        rules: of `rules/`.
        names: folder -> the names of all its files, broken ones too: what refers to a broken file is no
            fault of its own.
    """

    methods: list[tuple[SourceFile, MethodSchema]]
    tasks: list[tuple[SourceFile, TaskSchema]]
    architectures: list[tuple[SourceFile, ArchitectureSchema]]
    models: list[tuple[SourceFile, ModelsSchema]]
    rules: list[tuple[SourceFile, RulesSchema]]
    names: Mapping[str, frozenset[str]]


def check_references(files: CatalogFiles) -> list[Problem]:
    """Everything that one file says about another and that does not hold."""
    return [
        *twice("method name", (named for entry in files.methods for named in _names(*entry))),
        *twice("task name", (named for entry in files.tasks for named in _names(*entry))),
        *twice("model_type", _model_types(files)),
        *twice("model", ((name, file, ("models", at)) for file, entry in files.models for name, at in entry.names())),
        *twice("rule", ((rule.id, file, ("rules", index, "id")) for file, index, rule in _rules(files))),
        *_unknown_tasks(files),
        *_unserved_roles(files),
        *_broken_rules(files),
    ]


def _model_types(files: CatalogFiles) -> Iterable[Named]:
    for file, entry in files.architectures:
        for index, name in enumerate(entry.model_types):
            yield name, file, ("model_types", index)


def _rules(files: CatalogFiles) -> Iterable[tuple[SourceFile, int, RuleSchema]]:
    for file, entry in files.rules:
        for index, rule in enumerate(entry.rules):
            yield file, index, rule


def _names(file: SourceFile, entry: MethodSchema | TaskSchema) -> Iterable[Named]:
    yield entry.id, file, ("id",)
    for index, alias in enumerate(entry.aliases):
        yield alias, file, ("aliases", index)


def twice(kind: str, named: Iterable[Named]) -> Iterable[Problem]:
    """A problem for each name that another file has already; `kind` says of what."""
    seen: dict[str, SourceFile] = {}
    for name, file, path in named:
        if name in seen:
            yield file.problem(path, f"the {kind} {name!r} is described in {seen[name].shown} already")
        seen.setdefault(name, file)


def _unknown_tasks(files: CatalogFiles) -> Iterable[Problem]:
    for file, method in files.methods:
        for index, task in enumerate(method.tasks):
            if task not in files.names["tasks"]:
                yield file.problem(("tasks", index), f"there is no task {task!r}")


def _unserved_roles(files: CatalogFiles) -> Iterable[Problem]:
    """A method that names roles must find one in every architecture that it is meant for.

    A role that an architecture states as empty counts: the method then says by itself that it does not apply.
    """
    for file, method in files.methods:
        for field, roles in method.targets.items():
            for _, architecture in files.architectures:
                if _meant_for(method, architecture) and not any(role in architecture.roles for role in roles):
                    yield file.problem(("targets", field), f"names no module of {architecture.id}")


def _meant_for(method: MethodSchema, architecture: ArchitectureSchema) -> bool:
    if method.architectures and architecture.kind not in method.architectures:
        return False
    return all(getattr(architecture, fact) for fact in method.requires)


def _broken_rules(files: CatalogFiles) -> list[Problem]:
    methods = [method.to_domain() for _, method in files.methods]
    rules = [placed(file, index, rule) for file, index, rule in _rules(files)]
    problems = [problem for rule in rules for problem in check_rule(rule, methods, files.names)]
    return problems + conflicts(rules, methods)
