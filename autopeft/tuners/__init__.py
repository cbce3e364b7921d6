"""The methods that peft lacks, in peft's own form; importing this package registers them with peft.

Takes and gives what peft's own tuners do: a config, a wrapped model. Each folder holds config, layer, model.
May import: peft, torch, errors. Must not import: anything else of autopeft.
"""

from autopeft.tuners.registration import register_all

register_all()
