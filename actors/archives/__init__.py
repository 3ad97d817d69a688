"""Models as one file: an OCI image layout in a tar archive.

layout.py      which files are in it, and what the index says: pure functions
tarring.py     tar headers, written, and read from a stream without trusting a byte
exporting.py   from the stores to the bytes of an archive
importing.py   from the bytes of an archive to the store
actor.py       who says all that to other actors

All but the actor is without actors; what reads and writes files blocks: call it from a thread.
"""
