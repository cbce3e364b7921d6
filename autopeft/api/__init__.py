"""The Python interface, one module per verb: the only place that wires the layers together.

Takes plain Python values; gives plain objects with `.to_dict()` (and `.to_dataframe()` where there are rows).
May import: every package below, inside functions where that is heavy. Must not import: cli, click, rich.
"""
