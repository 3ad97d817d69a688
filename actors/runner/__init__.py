"""A runner: one OS process that has one set of weights loaded.

actor.py         what the daemon says to it, and its answers
messages.py      that conversation; imports no llama.cpp
host.py          the engine's thread, as Trio sees it
watch.py         what can go wrong with an engine that is not an error
simulated.py     a runner without a model, for simulations
prompting.py     a request to the tokens that the engine gets
conversation.py  what a model reads of a conversation: its own messages, tools in their order
reading.py       how an answer is read: by which parser
fitting.py       prompts that are longer than the window
sampling.py      a request's options to the engine's sampling settings
ending.py        how a generation ended, in words
pieces.py        the engine's deltas to typed pieces; where a resumed stream goes on
inspecting.py    prompts and tokens for those who look at them
embedding.py     inputs to tokens that fit, vectors to the dimensions that were asked for
structure.py     `format` to a grammar
thoughts.py      the tags around what a model thinks before it answers
analysis.py      what templates and parsers can do, for the library
engine/          llama.cpp: batches, slots, prefix cache, sampling
prompt/          templates: messages to text
forms/           how models write calls, as grammars
parse/           the model's text to content, thinking and tool calls
"""
