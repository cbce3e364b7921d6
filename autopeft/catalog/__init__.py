"""The catalogue: YAML files in, validated domain objects out.

Takes the folder `search_spaces/` (methods, tasks, rules, architectures, models, evidence).
Gives `load_catalog() -> Catalog`, or one CatalogError that lists every fault with file and line.
May import: domain, errors, pydantic, yaml. Must not import: torch, transformers, peft, other packages.
"""

from autopeft.catalog.contents import Catalog
from autopeft.catalog.load import load_catalog

__all__ = ["Catalog", "load_catalog"]
