from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actorllm.actors.runner.engine.radix import RadixTree, common_prefix

tokens = st.lists(st.integers(0, 2), max_size=20)
holders = st.integers(0, 6)


def plainly(a, b):
    count = 0
    while count < min(len(a), len(b)) and a[count] == b[count]:
        count += 1
    return count


@given(tokens, tokens)
def test_the_common_prefix_is_what_a_plain_loop_counts(a, b):
    assert common_prefix(a, b) == plainly(a, b)


@given(st.dictionaries(holders, tokens), tokens)
def test_the_tree_knows_the_common_prefix_of_each_key(keys, prompt):
    tree = RadixTree()
    for holder, key in keys.items():
        tree.insert(key, holder)
    expected = {h: n for h, key in keys.items() if (n := plainly(key, prompt))}
    shared = tree.shared(prompt)
    assert shared == expected
    assert list(shared.values()) == sorted(shared.values(), reverse=True)


class Model(RuleBasedStateMachine):
    """The tree beside a plain dictionary of keys."""

    def __init__(self):
        super().__init__()
        self.tree = RadixTree()
        self.keys = {}

    @rule(holder=holders, key=tokens)
    def insert(self, holder, key):
        self.tree.insert(key, holder)
        self.keys[holder] = tuple(key)

    @rule(holder=holders)
    def discard(self, holder):
        self.tree.discard(holder)
        self.keys.pop(holder, None)

    @rule(prompt=tokens)
    def look(self, prompt):
        expected = {h: n for h, key in self.keys.items() if (n := plainly(key, tuple(prompt)))}
        assert self.tree.shared(prompt) == expected

    @invariant()
    def the_tree_is_as_small_as_its_keys(self):
        assert len(self.tree) == len(self.keys)
        assert all(self.tree.key(holder) == key for holder, key in self.keys.items())
        nodes = list(self._nodes(self.tree._root))
        assert len(nodes) <= 2 * len(self.keys)
        assert all(node.holders and node.run for node in nodes)

    def _nodes(self, node):
        for child in node.children.values():
            yield child
            yield from self._nodes(child)


TestTheTreeThroughAnyHistory = Model.TestCase
TestTheTreeThroughAnyHistory.settings = settings(max_examples=40, stateful_step_count=30)


def test_a_long_key_is_one_node():
    tree = RadixTree()
    tree.insert(range(100_000), "long")
    assert tree.shared(tuple(range(50_000))) == {"long": 50_000}
    tree.insert(range(60_000), "short")
    tree.discard("short")
    assert len(tree._root.children[0].run) == 100_000
