import subprocess
import sys


def test_what_a_start_has_made_is_never_collected_and_what_comes_later_is():
    code = """
import gc, weakref
from actorllm.actors.kernel.garbage import hold_collection, resume_collection

class Knot:
    def __init__(self):
        self.self = self

hold_collection()
assert not gc.isenabled()
early = weakref.ref(Knot())
resume_collection()
late = weakref.ref(Knot())
gc.collect()
assert gc.isenabled()
print(early() is None, late() is None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
