"""Value objects with units in their names, and the safe expression language.

Takes and gives plain Python values; standard library only.
May import: errors. Must not import: anything else of autopeft, any third party.
"""
