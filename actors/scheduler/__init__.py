"""Which models are loaded, for whom and for how long.

actor.py      leases: who waits, who holds; supervises the runners
waiting.py    who waits for which weights, and whose turn it is
fairness.py   turns: clients in a circle, each client's requests in order
fleet.py      the runners that there are
runners.py    what is known of a runner
listing.py    what is loaded, as clients see it
loading.py    one load: room, process, progress, and the next rung if it dies
terms.py      how a request wants its model loaded, and when another load is needed
shape.py      how an engine is set up for that, and the memory that it takes
room.py       whether a model fits, and who has to go
free.py       how much memory there is
rungs.py      the rung of the degrade ladder that worked, remembered on disk
"""
