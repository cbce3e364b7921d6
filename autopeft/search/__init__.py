"""The search: which configuration next, how far to train it, when to stop.

Takes a plan, methods and an executor; gives trials in a run directory and a result.
May import: execution, training, memory, modeling, data, catalog, domain, errors. The only home of optuna.
Must not import: api, cli, recommend, reporting, artifacts.
"""
