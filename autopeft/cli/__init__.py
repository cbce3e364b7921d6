"""The command line: thin commands over the API, and the only place that turns an error into text.

Takes arguments; gives results on stdout, commentary on stderr, and an exit code.
May import: every package, click; rich and all that is heavy inside functions. Must not import: optuna, yaml.
"""
