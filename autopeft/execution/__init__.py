"""How a slice is run: in this process, on one loaded base model.

Takes a trial's spec and folder; gives a SliceResult, an Evaluation or an exported adapter.
May import: training, memory, modeling, data, tuners, catalog, domain, errors. Must not import: search or above.
"""
