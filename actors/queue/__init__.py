"""Admission: how many requests may wait, and one job for each that was admitted.

actor.py      admits or refuses; supervises the jobs
job.py        one request from its resolution to its last chunk, over the death of runners
checks.py     what can be refused before anything is loaded
delivery.py   what a client has got so far; where a resumed stream goes on
fairness.py   whose turn it is: clients in a circle, each client's requests in order
"""
