"""The conversations between actors, a module each.

generation   prompts in, tokens out: http -> queue -> job -> runner
scheduling   leases on loaded models: job -> scheduler
models       the library: list, show, copy, delete, resolve
building     create: a model from files or from another model
blobs        content-addressed files: upload, look up
"""
