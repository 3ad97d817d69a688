"""The edge: the HTTP server as a supervised child.

actor.py     starts the server, and stops it so that every answer ends with a word
server.py    Hypercorn under Trio, on sockets that outlive it
hangups.py   clients that have gone
"""
