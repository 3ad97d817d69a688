"""Create: new models from uploaded files or from other models.

facts           what must be known of a GGUF file
checks          what is refused of a request, and in which order
plan            which layers and which config the new model has
carry_out       a creation, step by step
holdings        its blobs: found, held, stored
materials       what it is made of: files that are read and converted
converting      a checkpoint to GGUF in a process of its own, which is convert/
quantizing      weights to another type in a process of its own
  quantize        that process
  quantizations   the types
child           a process that writes files, begun and ended; attached: what it begins with itself
templates       whether a Go template parses
actor           who says all that to other actors
"""
