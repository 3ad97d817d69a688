"""Hostile templates end soon and small, as a `TemplateError`."""

import time
import tracemalloc

import pytest

from actorllm.actors.runner.prompt.errors import TemplateError
from actorllm.actors.runner.prompt.gotemplate import GoTemplate
from actorllm.actors.runner.prompt.jinja import JinjaTemplate
from actorllm.actors.runner.prompt.rendering import render_chat
from actorllm.actors.runner.prompt.select import PromptTemplates
from actorllm.protocol.chat import ChatMessage
from tests.prompt.cases import NOW

DOUBLED = "{% for i in range(60) %}{% set ns.a = OP %}{% endfor %}{{ ns.a }}"

BIG = [
    # operators
    "{{ 'a' * 10**9 }}",
    "{{ ['a'] * 10**9 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (10**9, 1) }}",
    "{{ '%(a)s%(a)s%(a)s%(a)s%(a)s%(a)s' % {'a': 'a' * 9000000} }}",
    "{{ 9 ** (10**9) }}",
    "{% set ns = namespace(a=9**99) %}" + DOUBLED.replace("OP", "ns.a * ns.a"),
    "{% set ns = namespace(a='a') %}" + DOUBLED.replace("OP", "ns.a ~ ns.a"),
    "{% set ns = namespace(a='a') %}" + DOUBLED.replace("OP", "ns.a + ns.a"),
    "{% set ns = namespace(a=[1]) %}" + DOUBLED.replace("OP", "ns.a + ns.a"),
    # methods of text and numbers
    "{{ 'a'.ljust(10**9) }}",
    "{{ 'a'.center(10**9) }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 10**9) }}",
    "{{ '{0}{0}{0}{0}{0}{0}'.format('a' * 9000000) }}",
    "{{ ('\t' * 10**6).expandtabs(10**4) }}",
    "{{ ('a' * 10**6).replace('a', 'b' * 10**6) }}",
    "{{ ('a ' * 10**7).split() | length }}",
    "{{ ''.join(['a' * 10**6] * 1000) }}",
    "{{ (1).to_bytes(10**9, 'big') }}",
    "{{ 'a' | attr('ljust')(10**9) }}",
    # filters
    "{{ 'a' | center(10**9) }}",
    "{% filter center(10**9) %}a{% endfilter %}",
    "{% autoescape 'a' | center(10**9) %}{{ 'a' * 10**9 }}{% endautoescape %}",
    "{{ 'a\n' * 1000 | indent(10**8) }}",
    "{{ '%1000000000s' | format('a') }}",
    "{{ ['%1000000000d'] | map('format', 1) | list }}",
    "{{ [1] | batch(10**9, 'x') | list }}",
    "{{ [1] | slice(10**9) | list }}",
    "{{ (['a' * 10**6] * 1000) | join }}",
    "{{ [1, 2] | tojson(indent=10**9) }}",
    "{{ ('\x01' * 10**7) | tojson }}",
    "{{ ('<' * 10**7) | e }}",
    "{{ 15 | round(-(10**9), 'ceil') }}",
    "{{ range(99999) | map('default', range(99999) | list) | sum(start=[]) }}",
    # values that are small in memory and endless in print
    "{% set ns = namespace(a=[1]) %}" + DOUBLED.replace("OP", "[ns.a, ns.a]"),
    "{% set ns = namespace(a=(1,)) %}" + DOUBLED.replace("OP", "(ns.a, ns.a)"),
    "{% set ns = namespace(a={}) %}" + DOUBLED.replace("OP", "{'a': ns.a, 'b': ns.a}"),
    "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
    "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
    # output and captured output
    "{% for i in range(9999) %}{% for j in range(9999) %}" + "a" * 999 + "{% endfor %}{% endfor %}",
    (
        "{% set ns = namespace(a='a') %}{% for i in range(60) %}"
        "{% set ns.a %}{{ ns.a }}{{ ns.a }}{% endset %}{% endfor %}{{ ns.a }}"
    ),
    "{% set x = 'a' * 10**7 %}" + "{% set y = x[1:] %}" * 500,
]
LONG = [
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% set l = [1] %}{% for x in l %}{% set _ = l.append(x) %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
    "{% for i in range(99) recursive %}{{ loop(range(99999)) }}{% endfor %}",
    "{{ range(99999) | select('in', range(99999) | list) | list | length }}",
    (
        "{% set l = range(99999) | map('string') | list %}{% set s = 'x' * 10**7 %}"
        "{{ l | select('in', s) | list }}"
    ),
    "{{ ('a' * 10**6).strip('b' * 10**6 + 'a') }}",
    "{{ ('a' * 10**6) | trim('b' * 10**6 + 'a') }}",
    "{{ ('a' * 10**6).rfind('ab' + 'a' * 10**5) }}",
    "{{ ('a' * 10**6).rsplit('ab' + 'a' * 10**5) }}",
    "{% set s = 'a' * 10**6 %}{{ s.startswith((s + 'b',) * 10**5) }}",
    "{{ [('a' * 10**6) + 'b'] * 10**5 == [('a' * 10**6) + 'c'] * 10**5 }}",
    "{{ (('f' * 10**7) | int(base=16)) % (('e' * 10**6) | int(base=16)) }}",
]
BROKEN = [
    "{{ range(10**9) | list }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "x" * 70_000,
    "{{ ''.__class__.__mro__ }}",
    "{{ messages.__init__() }}",
    "{{ {}.fromkeys(range(9)) }}",
    "{{ 'a'.encode() }}",
    "{{ lipsum(9) }}",
    "{% include 'secrets' %}",
    "{{ messages.clear() }}",
    "{{ cycler.__init__.__globals__ }}",
]
GO = [
    "{{ range 1000000000 }}x{{ end }}",
    "{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}",
    '{{ printf "%1000000000d" 1 }}',
    '{{ printf "%*d" 1000000000 1 }}',
    '{{ define "a" }}{{ template "a" . }}{{ template "a" . }}{{ end }}{{ template "a" . }}',
    '{{ $a := "aaaaaaaaaa" }}{{ range 60 }}{{ $a = print $a $a }}{{ end }}{{ $a }}',
    '{{ $a := "aaaaaaaaaa" }}{{ range 60 }}{{ $a = printf "%s%s" $a $a }}{{ end }}',
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ if 1 }}" * 3000 + "{{ end }}" * 3000,
    "{{ call .Messages }}",
    '{{ $a := "%%%%%%%%" }}{{ range 19 }}{{ $a = print $a $a }}{{ end }}{{ printf $a }}',
    '{{ $a := "aaaaaaaa" }}{{ range 19 }}{{ $a = print $a $a }}{{ end }}{{ printf "%q" $a }}',
    '{{ $a := "<<<<<<<<" }}{{ range 19 }}{{ $a = print $a $a }}{{ end }}{{ urlquery $a }}',
    "x" * 300_000,
]


def fails(kind, source):
    """Render as a request would; return the processor time that it took to fail."""
    started = time.thread_time()
    with pytest.raises(TemplateError) as caught:
        render_chat(PromptTemplates(**{kind: source}), [], now=NOW)
    assert "\n" not in caught.value.problem.text
    assert len(caught.value.problem.text) <= 300
    return time.thread_time() - started


@pytest.mark.parametrize("source", BIG + LONG + BROKEN, ids=lambda source: source[:50])
def test_a_hostile_jinja_template_fails_within_a_second(source):
    assert fails("jinja", source) < 1


@pytest.mark.parametrize("source", GO, ids=lambda source: source[:50])
def test_a_hostile_go_template_fails_within_a_second(source):
    assert fails("go", source) < 1


@pytest.mark.parametrize("source", BIG, ids=lambda source: source[:50])
def test_a_hostile_template_never_holds_100_megabytes(source):
    tracemalloc.start()
    try:
        fails("jinja", source)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000


def test_a_long_conversation_may_cost_more_than_a_short_one():
    source = "{% for m in messages %}{{ m.content | trim | upper }}{% endfor %}"
    words = "word " * 200_000
    made = render_chat(PromptTemplates(jinja=source), [ChatMessage("user", words)] * 8, now=NOW)
    assert len(made.text) == 8 * (len(words) - 1)


def test_many_messages_may_be_looked_through_for_each_of_them():
    jinja = "{% for m in messages %}{% for n in messages %}{% endfor %}{% endfor %}"
    go = "{{ range $i, $m := .Messages }}{{ len (slice $.Messages $i) }}{{ end }}"
    talk = [ChatMessage("user" if n % 2 else "assistant", "x") for n in range(800)]
    render_chat(PromptTemplates(jinja=jinja), talk, now=NOW)
    assert render_chat(PromptTemplates(go=go), talk, now=NOW).text.startswith("800799")


def test_nothing_is_computed_while_a_template_is_compiled():
    started = time.thread_time()
    JinjaTemplate("{% if false %}{{ 'a' * 10**9 }}{{ 'a' | center(10**9) }}{% endif %}")
    GoTemplate('{{ if false }}{{ printf "%1000000000d" 1 }}{{ end }}')
    assert time.thread_time() - started < 0.5
