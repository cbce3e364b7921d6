"""From a method and hyperparameters to the model that trains, and the one training step.

Takes specs of domain and catalog; gives transformers and peft models, on meta or with weights.
May import: tuners, catalog, domain, errors, torch, transformers, peft. Must not import: memory, training.
"""
