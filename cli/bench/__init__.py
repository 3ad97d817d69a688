"""`actorllm bench`: measure a server that speaks the Ollama or the OpenAI API, or compare two.

command      the command line
campaign     warm-up, then rounds in which the servers take turns
workloads    what one round does to one server, and what it measures
running      streams that run beside a measurement; tasks: requests at the same time
server       the connection: JSON, and streams that are recorded, not parsed
identity     which model a server really runs, and whether two run the same
dialects     requests and answers of both APIs (pure)
traces       recorded streams, and what they tell (pure)
prompts      texts of about so many tokens, from a seed (pure)
figures      what is measured, its unit, and which way is better (pure)
statistics   medians, percentiles, spreads, ratios (pure)
results      from the traces of one round to its figures (pure)
report       the result as a table or as JSON
"""
