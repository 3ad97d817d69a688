"""Pull: models from registries, in parts, in parallel, resumed after anything.

actor.py       the supervisor: pulls, and one child for each blob on its way
source.py      where a pull takes its model from; all that speaks HTTP is imported with it
pulling.py     what a pull does, step by step
fetch.py       the child: fetches a blob for all who wait for it
ahead.py       several blobs of one model at once, told as one sequence
sharing.py     the base of supervisors here and in the uploader: one transfer for each blob
transfer.py    the base of children here and in the uploader: followers and progress
fetching.py    a blob's parts: workers, retries, the hash behind them
carrier.py     a body's bytes from the socket to the disk without a detour
partial.py     the unfinished file and the state beside it
leftovers.py   unfinished files: listed, pruned
parts.py       which ranges there are and how far each has come
manifests.py   manifests that a stranger has made
registry.py    requests to one repository: authorization, redirects, errors
client.py      connections; they refuse private addresses where a stranger leads there
handshake.py   what is wrong with a TLS handshake, and what to do
addresses.py   which addresses a registry may lead to
authority.py   how a registry lets us in: basic, bearer, signed token requests
challenge.py   `WWW-Authenticate` and URLs of token requests
identity.py    the key of this installation; keypair.py has its cryptography
hub.py         split weights on the Hub, which its registry refuses
origin.py      a repository and its URLs
patience.py    trying again
throttle.py    the cap on bytes for each second
retry.py       when and how long to wait before another try
"""
