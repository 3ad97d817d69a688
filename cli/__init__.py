"""The command line. It speaks HTTP and nothing else; only `serve` knows the daemon from within.

main.py         the commands, exit statuses, one-line errors
    run.py show.py create.py serve.py tree.py completion.py bench/
    manage.py       list, ps, stop, cp, rm
    transfers.py    pull, push
    archives.py     export, import
    upkeep.py       prune, key
daemon.py       finds the daemon or starts one; probe.py asks whether one is there
client.py       requests and streams; connection.py: the HTTP below, wire.py: the shapes of their JSON
errors.py       what ends a command
repl.py         the conversation at the prompt
    prompt.py       reads lines; history.py keeps them
    commands.py     all that begins with a slash; help_texts.py, parameters.py
    session.py      what was set and said, and the requests made of it
    answer.py       shows an answer as it comes
    media.py        images and sounds that a prompt names
sources.py      files that a Modelfile names; sharing.py saves their second copy
progress.py     bars and steps
streams.py      the standard streams; text.py makes text harmless for a terminal
tables.py       columns; units.py: sizes, counts and times in them
"""
