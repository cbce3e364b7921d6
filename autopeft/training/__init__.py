"""One slice of one trial: train, evaluate, checkpoint.

Takes a loaded base model, encoded data, a trial's spec and its folder; gives a SliceResult.
May import: modeling, data, tuners, catalog, domain, errors.
Must not import: memory, search or anything above; click, optuna.
"""
