"""Which models are loaded, for whom and for how long.

actor.py      leases: who waits, who holds; supervises the runners
loading.py    one load: room, process, progress, and the next rung if it dies
runners.py    what is known of a runner
terms.py      how a model is loaded, and when another load is needed
room.py       whether a model fits, and who has to go
free.py       how much memory there is
rungs.py      the rung of the degrade ladder that worked, remembered on disk
"""
