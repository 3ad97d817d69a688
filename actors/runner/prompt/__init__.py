"""From a conversation to the text of a prompt: pure logic, no actor, no file, no clock.

    select         which of a model's templates makes the prompt, and why
    rendering      makes it: `render_chat`, `render_generate`
    truncate       drops the oldest messages of a conversation that is too long
    images         where images stand in the text
    fallback       ChatML, for a model without any template
    tags           the tags between which a model thinks
    errors         what goes wrong with templates

    jinja          templates of GGUF files; jinja_chat: what they are given; jinja_facts: what they
                   can do; sandbox, filters, methods, limits: what they may not do
    gotemplate     templates of Modelfiles, and gofacts: what they can do; goeval, gofuncs, govalues,
                   gotools, gotree: Go's semantics; gowords: its complaints
    gojson         JSON and numbers as Go writes them
    renderers/     the built-in formats of families of models

Templates come with models and are hostile: all of them run under a budget of time and memory, and
every failure is a `TemplateError`.
"""
