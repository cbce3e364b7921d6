"""Predicts what a training step costs, by tracing a real one without data.

Takes a model's config, a method and a step's shape; gives a MemoryEstimate.
May import: modeling, catalog, domain, errors; torch only inside the tracing modules.
Must not import: training, search, recommend, reporting, cli or any tracking backend.
"""
