"""Create: new models from uploaded files or from other models.

facts        what must be known of a GGUF file
checks       what is refused of a request, and in which order
plan         which layers and which config the new model has
carry_out    reading, planning, storing, step by step
quantizing   converting weights in a child process, whose main is quantize
templates    whether a Go template parses
actor        who says all that to other actors
"""
