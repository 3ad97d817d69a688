"""The inference engine: llama.cpp's low-level API, continuous batching, a prefix cache.

    types       settings, work, deltas, reports: what goes in and what comes out
    engine      the thread that owns a model's context
    stepper     continuous batching, one pass at a time; knows no llama.cpp
      backend     what it needs of llama.cpp
      passes      whose turn it is, and what a pass leaves
      apart       long prompts that passes of streams come between
      batching    which rows go into a pass, and which passes give the same bits
      admission   which streams may begin
      pace        how long passes take, and whose turn it is
      works       what a work asks for, made definite
      attention   flash attention, or the plain one
      windows     how much context a work has
      slots       what the cells of a sequence hold
      streams     the progress of one work
      text        tokens' bytes to text that may be shown
      thoughts    where an answer thinks, and for how long
    prefixes    the prefix cache: slots, host memory and disk
      prefix      which slot a prompt gets, and with how many cells
      holders     who begins like a prompt, and how much of it can be used
        radix       a tree over token ids
      costs       what it takes to copy a state, and to compute it anew
      aside       states that were put aside, wherever they are
        store       in memory, within a budget of bytes
        archive     in files, which survive the process
        arrivals    on their way from there, in parts
        memory      what they lie in
    opening     a model file to a context
      model       loading, facts
      kernels     which weights give the same bits in which passes
      context     `llama_decode` and the KV cache: the stepper's backend
        batch       the rows that it is given
        reader      another one, for a prompt that gives way to the first
        handover    how its cells get there
      embed       inputs to vectors
      pairing     how a reranker reads a query and a document
      vocab       text to tokens and back
        blocks      where long texts are cut on the way
      sampling    choosing tokens by seed and position
        samplers    what the streams of a context share for it
        direct      in one call, for small vocabularies
        chain       llama.cpp's samplers, in its order
        candidates  the tokens that they choose from
        seeds       random numbers as a function of seed and position
        logprobs    probabilities for reports
      matching    tokens that keep to a structure, behind the thoughts
        compiler    structures to matchers, with the first one
        grammar     structures as grammars of llguidance
        schema      JSON Schemas as trees, and objects as they are kept to
        numbers     which of their numbers are kept to, and how
        patterns    which of their patterns and formats are
        dates       days and times that there are
        lexemes     GBNF in its notation
        gbnf        rules of characters, as they are read
      threads     how many cores are really free
      cores       which there are for this process, and how many are idle
        groups      the control groups of this process
      pinning     each thread that computes keeps to cores of its own
      amx log     the process around llama.cpp
    ladder      ever safer settings, for models that crash
    fake        the same engine without a model, for simulations

`types`, `ladder`, `fake` and what `stepper` uses import no llama.cpp, so that the daemon and the
simulations can use them.
"""
