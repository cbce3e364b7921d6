"""What is done with a finished run's adapter: predict, measure again, merge, export, publish.

Inputs: an adapted model, its tokenizer, its task and the folder of the adapter, as `api` resolves them.
Outputs: answers, figures and folders; nothing of the run itself is changed.
May import: data, modeling, training, tuners, catalog, domain, errors. Must not: search, reporting, recommend, api.
"""
