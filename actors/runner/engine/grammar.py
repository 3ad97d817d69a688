"""Grammars in GBNF, llama.cpp's notation."""

__all__ = ["JSON_GRAMMAR", "MAX_GRAMMAR"]

MAX_GRAMMAR = 1024 * 1024
"""Characters of a grammar that are accepted."""

JSON_GRAMMAR = r"""
root   ::= object
value  ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" gap ( member ( "," gap member )* )? "}"
member ::= string ":" gap value gap
array  ::= "[" gap ( item ( "," gap item )* )? "]"
item   ::= value gap
string ::= "\"" ( [^"\\\x00-\x1F\x7F] | "\\" ( ["\\/bfnrt] | "u" hex hex hex hex ) )* "\""
number ::= "-"? ( "0" | [1-9] [0-9]{0,17} ) ( "." [0-9]{1,17} )? ( [eE] [-+]? [0-9]{1,3} )?
hex    ::= [0-9a-fA-F]
gap    ::= " "? | "\n" [ \t]{0,20}
"""
"""One JSON object. White space and digits are bounded, so that a model cannot loop in them."""
