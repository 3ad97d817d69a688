"""GBNF is kept to as llama.cpp reads it: character by character, whatever the lexemes."""

import itertools
import json
import random

import pytest
from llguidance import LLMatcher, LLTokenizer

from actorllm.actors.runner.engine.gbnf import Chars, Choice, Ref, Repeat, Series, Text, read
from actorllm.actors.runner.engine.grammar import LIMITS, check, grammar_of
from actorllm.actors.runner.engine.types import EngineError, Structure

BYTES = LLTokenizer("byte")

ARITHMETIC = r"""
root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] term)*
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]+ ws
ws    ::= [ \t\n]*
"""
LIST = r"""
# a list of items
root ::= item+
item ::= "- " [^\r\n\x0b\x0c\u0085\u2028\u2029]+ "\n"
"""
JSON = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws (
        string ":" ws value
        ("," ws string ":" ws value)*
    )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws     ::= | " " | "\n" [ \t]{0,20}
"""


def matcher_of(text):
    made = LLMatcher(BYTES, grammar_of(Structure("gbnf", text)), log_level=0, limits=LIMITS)
    assert not made.is_error(), made.get_error()
    return made


def takes(matcher, text):
    copy, data = matcher.deep_copy(), list(text.encode())
    if copy.validate_tokens(data) < len(data):
        return False
    copy.consume_tokens(data)
    return copy.is_accepting()


@pytest.mark.parametrize(
    ("grammar", "right", "wrong"),
    [
        (ARITHMETIC, ["1+2=3\n", "(a_1 -2 ) *b=\t7 \n\n1=1\n"], ["1+2=3", "1+=3\n"]),
        (LIST, ["- a\n", "- é b\n- -\n"], ["- a", "-\n"]),
        (
            JSON,
            ['{"a": [1,-2.5e3,true], "\\u00e9\\n": {}}', "{\n\t}"],
            ['{"a":}', "[1]", '{"\n":1}'],
        ),
        ("root ::= [ぁ-ゟ]+ | [ァ-ヿ]+", ["ひら", "カ"], ["ひカ", "a"]),
        (r'root ::= "\x41\u00e9\U0001F600\t\"\\"', ['Aé😀\t"\\'], ["A"]),
        (r"root ::= [\]\[\\\-a^]+ [^\n^-]", ["][\\-a^b"], ["ab^", "b"]),
        ("root ::= [a-] .", ["-\n", "aé"], ["b."]),
        ('root ::= "a"\n  | "b"\r\n  |\n "c" # end', ["a", "b", "c"], [""]),
        ('root ::= a-b a_b aB\na-b ::= "x"\na_b ::= "y"\naB ::= "z"', ["xyz"], ["xxx"]),
        ('root ::= start\nstart ::= "a"', ["a"], ["b"]),
        ('root ::= ("a"?)** ("b"{2} "c"{1,2}){0,1}', ["", "aaa", "abbcc"], ["b", "bbccc"]),
        ('root ::= "" | "a" root "b"', ["", "aabb"], ["aab"]),
        ('root ::= root "a" | [ab]* "ab"', ["ab", "abab", "bbaba"], ["ba", "b"]),
    ],
)
def test_what_a_grammar_means_may_be_written(grammar, right, wrong):
    matcher = matcher_of(grammar)
    assert [text for text in right if not takes(matcher, text)] == []
    assert [text for text in wrong if takes(matcher, text)] == []


def test_rules_are_read():
    assert read(r'root ::= (x "a\n"){2,} | [^a-y]?' "\nx ::= .") == {
        "root": Choice(
            (
                Repeat(Series((Ref("x"), Text("a\n"))), 2, None),
                Repeat(Chars(((0, 0x60), (0x7A, 0x10FFFF))), 0, 1),
            )
        ),
        "x": Chars(((0, 0x10FFFF),)),
    }


@pytest.mark.parametrize(
    ("grammar", "fault"),
    [
        ("", "no rule 'root'"),
        ('a ::= "b"', "no rule 'root'"),
        ("root ::= x", "no rule 'x'"),
        ('root ::= "a"\nroot ::= "b"', "'root' is defined twice"),
        ('root ::= "a', "unexpected end in line 1, column 12"),
        ("root ::= [a", "unexpected end"),
        ("root ::= []", "a class has no character"),
        ("root ::= [z-a]", "backwards"),
        (r'root ::= "\q"', "unknown escape"),
        (r'root ::= "\uD83D"', "no character has this number"),
        ('root ::= "a"{3,2}', "not backwards"),
        ('root ::= "a"{5000}', "at most 2000 times"),
        ('root ::= "a"{x}', "expected {n}"),
        ('root ::= ("a"', "expected ')' in line 1, column 14"),
        ('root ::= "a")', "expected the end of the line"),
        ('root = "a"', "expected '::='"),
        ("root ::= <[3]>", "expected a name"),
        ('root ::= "a"\n%llguidance {}', "expected a name in line 2"),
        ("root ::= " + "(" * 100, "nest deeper"),
        ('root ::= "a"' + "*" * 100, "expected a name"),
        ("".join(f'r{n} ::= "a"\n' for n in range(2000)), "more than 1000 rules"),
        ("root ::= " + '"a" ' * 200_000, "too large"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(grammar, fault):
    with pytest.raises(EngineError) as caught:
        check(Structure("gbnf", grammar))
    assert fault in str(caught.value)


@pytest.mark.parametrize("step", [1, -1])
def test_rules_may_lean_on_each_other_in_any_order(step):
    rules = [f'r{n} ::= "a" r{n + 1} [b-z]* | "(" r{n * 7 % 300} ")"\n' for n in range(300)]
    matcher = matcher_of("".join([*rules[::step], 'root ::= r0\nr300 ::= "c"\n']))
    assert takes(matcher, "a(" + "a" * 293 + "c)")


def test_a_grammar_of_many_characters_is_read():
    words = " | ".join(f'"{chr(n)}x"' for n in range(0x4E00, 0x5A00))
    matcher = matcher_of(f'root ::= "(" root ")" | {words}')
    assert takes(matcher, "((丁x))")
    assert not takes(matcher, "((丁))")


WORDS = ["".join(word) for n in range(5) for word in itertools.product("abc", repeat=n)]


@pytest.mark.parametrize("seed", range(40))
def test_invented_grammars_let_nothing_else_through(seed):
    chance = random.Random(seed)
    bodies = {name: invented(chance, depth) for name, depth in (("root", 3), ("x", 2), ("y", 2))}
    text = "".join(f"{name} ::= {body}\n" for name, body in bodies.items())
    rules = read(text)
    meant = {word for word in chance.sample(WORDS, 40) if means(rules, word)}
    try:
        matcher = matcher_of(text)
        matcher.deep_copy().compute_bitmask()
    except AssertionError:  # nothing can be written
        assert not meant
        return
    taken = {word for word in WORDS if takes(matcher, word)}
    assert all(means(rules, word) for word in taken)
    assert meant <= taken, json.dumps(text)


def invented(chance, depth):
    if depth == 0 or chance.random() < 0.3:
        return chance.choice(['"a"', '"b"', '"ab"', "[ab]", "[^a]", '"c"', '""', '"ba"'])
    one, other = invented(chance, depth - 1), invented(chance, depth - 1)
    times = chance.choice(["*", "+", "?", "{2}", "{1,2}", "{2,}"])
    return chance.choice(
        [f"({one} {other})", f"({one} | {other})", f"({one}){times}", "root", "x", "y"]
    )


def means(rules, word):
    """Whether a word is one of a grammar, by trying everything until nothing is new."""
    ends = {(name, at): frozenset() for name in rules for at in range(len(word) + 1)}
    while True:
        more = {(name, at): found(rules[name], word, at, ends) for name, at in ends}
        if more == ends:
            return len(word) in ends["root", 0]
        ends = more


def found(node, word, at, ends):
    match node:
        case Chars(ranges):
            fits = at < len(word) and any(low <= ord(word[at]) <= high for low, high in ranges)
            return frozenset({at + 1} if fits else ())
        case Text(text):
            return frozenset({at + len(text)} if word.startswith(text, at) else ())
        case Ref(name):
            return ends[name, at]
        case Choice(options):
            return frozenset().union(*(found(option, word, at, ends) for option in options))
        case Series(parts):
            reached = frozenset({at})
            for part in parts:
                reached = frozenset().union(*(found(part, word, n, ends) for n in reached))
            return reached
        case Repeat(part, least, most):
            reached, all_reached = frozenset({at}), frozenset({at} if least == 0 else ())
            for times in range(1, 10 if most is None else most + 1):
                reached = frozenset().union(*(found(part, word, n, ends) for n in reached))
                all_reached |= reached if times >= least else frozenset()
            return all_reached
