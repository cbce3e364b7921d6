"""Data sets: reading, columns, splits, labels, encoding, batches, metrics and the plain baselines.

Takes files, folders, hub ids or in-memory tables, and a task; gives `load.load_task_data() -> LoadedData`.
May import: catalog, domain, errors, numpy, datasets, scikit-learn, torch (in collating only).
Must not import: modeling or anything above; optuna, click, yaml.
"""
