"""Prompts, parsed answers and tokens, for those who look at them.

actor.py      the questions; leases a runner where the vocabulary of a model is needed
sources.py    which template or parser a question means, and why
alone.py      what can be answered without a runner
bounds.py     how long a text may be
"""
