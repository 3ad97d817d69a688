"""Content-addressed files on disk.

    store.py    the store: find, import, list, delete
    writer.py   one blob on its way: hashed as it is written, visible when it is right
    links.py    blobs that are links to files of the user, and whether these were written to
    pins.py     the store's lock and the pins that keep blobs from being removed
    files.py    atomic writes and temporary files that die with their process
    actor.py    who says all that to other actors

All but the actor is without actors and blocks: call it from a thread.
"""
