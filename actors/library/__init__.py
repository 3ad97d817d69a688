"""The models on this machine.

    library.py       answers: list, show, resolve, copy, delete
    catalog.py       names and manifests of the user's store, over the one of the program
    manifests.py     the folder of manifests
    opened.py        one model with its layers, read when asked for
    content.py       small layers: config, template, system, parameters, messages
    show.py          everything that show says
    resolve.py       everything that a run needs
    details.py       family, sizes, quantization
    capabilities.py  completion, tools, vision ...
    templates.py     what must be known of templates and parsers; the runner says it
    facts.py         what is remembered of a GGUF file
    fim.py           whether a vocabulary can fill in the middle of a text
    memory.py        how much memory a model takes
    gguf.py          GGUF headers, read without trust (gguf_cursor.py, ggml_types.py)
    naming.py        names in requests and their refusals
    builtin/         the store of the model that comes with the package (make_builtin.py)
    pinning.py       pins of other actors, and the sweep at their end
    actor.py         who says all that to other actors

All but the last two are without actors, and what reads files blocks: call it from a thread.
"""
