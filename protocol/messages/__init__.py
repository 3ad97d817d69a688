"""The conversations between actors, a module each.

generation   prompts in, tokens out: http -> queue -> job -> runner
scheduling   leases on loaded models: job -> scheduler
models       the library: list, show, copy, delete, resolve
building     create: a model from files or from another model
blobs        content-addressed files: upload, look up
transfers    pull and push
archives     export and import: models as one file
prompts      what a model would read, and how its answer would be read
responses    answers that are kept, to be gone on from
"""
