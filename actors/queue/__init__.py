"""Admission: how many requests may wait, and one job for each that was admitted.

actor.py       admits or refuses; supervises the jobs
job.py         one request, as its client follows it
generation.py  from its model to its last chunk, over the death of runners
embedding.py   from its model to its vectors
attempts.py    what both ask other actors for: the model, leases, runners
progress.py    how far a request has come
work.py        what a runner is asked to do
checks.py      what can be refused before anything is loaded
delivery.py    what a client has got so far; where a resumed stream goes on
verdict.py     what the death of a runner means for a request
refusals.py    a daemon that is busy, or does not answer
"""
