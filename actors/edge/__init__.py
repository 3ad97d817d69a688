"""The edge: the HTTP server as a supervised child.

actor.py     starts and stops the server
server.py    Hypercorn under Trio, on sockets that outlive it
hangups.py   clients that have gone
"""
