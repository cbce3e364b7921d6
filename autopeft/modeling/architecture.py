"""Which modules of a model play which role, and the regular expression that names them to peft."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autopeft.catalog import Catalog
from autopeft.domain.models import ArchitectureSpec
from autopeft.errors import ModelError

if TYPE_CHECKING:  # finding the architecture of a config must cost no import of torch
    from torch import nn


def architecture_of(config: Mapping[str, Any], catalog: Catalog) -> ArchitectureSpec:
    """The family that the model type of a config belongs to.

    Args:
        config: the content of a config.json.
        catalog: with the known families.

    Raises:
        ModelError: no family of the catalogue has this model type.
    """
    model_type = str(config.get("model_type", ""))
    found = _family(model_type, catalog)
    if found is not None:
        return found
    within = config.get("text_config")
    of_text = str(within.get("model_type", "")) if isinstance(within, Mapping) else ""
    if _family(of_text, catalog) is not None:
        raise ModelError(
            f"models of type {model_type!r} take more than text; only their language model, {of_text!r}, is supported",
            hint="save `text_config` of its config.json as a config.json of its own, and name that",
        )
    known = sorted({name for spec in catalog.architectures.values() for name in spec.model_types})
    raise ModelError(f"models of type {model_type!r} are not supported", hint=f"supported types: {', '.join(known)}")


def _family(model_type: str, catalog: Catalog) -> ArchitectureSpec | None:
    return next((one for one in catalog.architectures.values() if model_type in one.model_types), None)


def role_regex(architecture: ArchitectureSpec, roles: Iterable[str]) -> str | None:
    """One regular expression that fully matches the names of all modules of these roles.

    Args:
        architecture: the names' family.
        roles: to be matched; those that the family lacks are passed over.

    Returns:
        The expression, or None when the family has none of the roles.
    """
    endings = dict.fromkeys(ending for role in roles for ending in architecture.roles.get(role, ()))
    if not endings:
        return None
    alternatives = (re.escape(ending).replace(r"\*", r"\d+") for ending in endings)
    return rf"(?:.*\.)?(?:{'|'.join(alternatives)})"


def target_regex(
    architecture: ArchitectureSpec, roles: Sequence[str], model: "nn.Module", *, method: str = "the method"
) -> str:
    """The regular expression of these roles, checked against the model: what peft takes as `target_modules`.

    Args:
        architecture: the family of the model.
        roles: to be targeted.
        model: not yet wrapped.
        method: named in the error.

    Raises:
        ModelError: no module of the model has one of the roles.
    """
    regex = role_regex(architecture, roles)
    if regex is None or not any(re.fullmatch(regex, name) for name, _ in model.named_modules()):
        raise ModelError(
            f"{method} targets {', '.join(roles)}, and the {architecture.id} model has no such module",
            hint="choose another method, or check the architecture's roles in search_spaces/architectures",
        )
    return regex
