"""The recommendation: facts, the rules that fire on them, and a ranking whose every term is a reason.

Takes domain objects and an `Estimator`; gives a `Recommendation`.
May import: domain, errors. Must not import: torch, files of the catalogue, memory, any third party.
"""
