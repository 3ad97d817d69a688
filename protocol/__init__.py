"""What is said: messages between actors, and the formats of files. No I/O, and nothing of ours but this.

codec.py        frozen classes to msgpack and back; messages/ has the conversations
records.py      what their classes have in common
errors.py       refusals: a status and one line
chat.py         messages of a conversation, tools
options.py      options of a model's run, and how they are merged
settings.py     the environment; setting_values.py reads what people write there
address.py      where the daemon listens
names.py        names of models, digests of blobs
manifest.py     which blobs make up a model; layers.py reads two of them
modelfile.py    recipes for models; modelfile_text.py writes them
creation.py     what is wrong with a request for a new model
durations.py    durations and times as Go spells them; gojson.py does so with JSON, and goscan.py
                has the words for what is none
asgi.py         what the HTTP server and its application have in common
version.py      ours, and that of the wire
"""
