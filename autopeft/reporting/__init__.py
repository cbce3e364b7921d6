"""The report of a run: `result.json` -> facts -> HTML, Markdown with pictures, CSV, and the adapter's card.

Takes the mapping of docs/result-schema.md, whole or partial; gives files, written atomically.
May import: domain, errors; jinja2, matplotlib. Must not import: torch, optuna, search, live objects.
"""
