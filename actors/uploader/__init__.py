"""Push: models to registries. What speaks to a registry is shared with the downloader.

actor.py     the supervisor: pushes, and one child for each blob on its way
local.py     a model that is to be sent
target.py    where a push brings it; all that speaks HTTP is imported with it
pushing.py   what a push does, step by step
send.py      the child: sends a blob for all who wait for it
sending.py   one upload: begin, chunks, commit, and going on after a failure
chunks.py    which chunks there are, and the requests around them
body.py      a range of a file as the body of a request
"""
