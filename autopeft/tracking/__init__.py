"""Experiment trackers: MLflow, TensorBoard and Weights & Biases behind one protocol, the callbacks'.

Inputs: the slices of a search as they end, and its result.
Outputs: one tracked run for each training run, with parameters, curves and files, and one for the whole search.
May import: domain, errors; each tracker's package in its own module, when it is opened. Must not: anything else.
"""
