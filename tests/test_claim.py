"""One daemon for a state folder."""

import json
import os
import subprocess
import sys
import threading

import pytest

from actorllm.actors.claim import Claim
from actorllm.protocol.settings import SettingsError

URL = "http://127.0.0.1:4711"


def announced(state):
    return json.loads((state / "daemon.json").read_text())


def test_a_folder_is_taken_announced_and_left(tmp_path):
    state = tmp_path / "new" / "state"
    for _ in range(2):
        with Claim(state) as claim:
            claim.announce(URL)
            assert announced(state) == {"pid": os.getpid(), "url": URL}
        assert not (state / "daemon.json").exists()


def test_a_folder_that_is_taken_is_refused_with_the_address_of_who_has_it(tmp_path):
    with Claim(tmp_path) as claim:
        claim.announce(URL)
        with pytest.raises(SettingsError) as caught, Claim(tmp_path):
            pass
        assert announced(tmp_path)["url"] == URL
    assert str(caught.value) == (
        f"a daemon (process {os.getpid()}) runs at {URL} already, with the same state folder: stop "
        f"it, or set ACTORLLM_HOST={URL} to ask that one, or ACTORLLM_STATE to another folder to run "
        "a second one"
    )


@pytest.mark.parametrize("said", [None, b"", b"[]", b"\xff", b'{"pid": 1, "url": 5}'])
def test_one_that_does_not_say_where_it_listens_is_not_waited_for_without_end(tmp_path, said):
    with Claim(tmp_path):
        if said is not None:
            (tmp_path / "daemon.json").write_bytes(said)
        with (
            pytest.raises(SettingsError, match="does not say where it listens"),
            Claim(tmp_path, patience=0.0),
        ):
            pass


def test_one_that_is_about_to_end_is_waited_for(tmp_path):
    taken = threading.Event()

    def take():
        with Claim(tmp_path, patience=60.0):
            taken.set()

    with Claim(tmp_path) as claim:
        claim.announce(URL)
        claim.withdraw()
        second = threading.Thread(target=take)
        second.start()
    second.join()
    assert taken.is_set()


def test_one_that_was_killed_holds_nothing_and_its_address_is_forgotten(tmp_path):
    program = (
        "import os, pathlib, sys\n"
        "from actorllm.actors.claim import Claim\n"
        "with Claim(pathlib.Path(sys.argv[1])) as claim:\n"
        f"    claim.announce({URL!r})\n"
        "    os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert (done.returncode, announced(tmp_path)["url"]) == (9, URL)
    with Claim(tmp_path):
        assert not (tmp_path / "daemon.json").exists()
