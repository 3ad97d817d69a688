import pytest

from actorllm.actors.runner.parse import PARSERS
from tests.parse.cases import agrees, load, maker, outcome, run, splits
from tests.parse.deviations import WHY, deviation, deviations, is_ours


def check(case):
    make = maker(case)
    results = [run(make(), pieces) for pieces in splits(case["text"])]
    assert all(result == results[0] for result in results), case["id"]
    entry = deviation(case)
    ours = outcome(results[0])
    if entry is None:
        assert agrees(case, results[0]), (case["id"], ours, case["expect"])
    else:
        assert is_ours(entry, ours, unparsed=results[0].unparsed), (case["id"], ours)
        assert not agrees(case, results[0]), f"{case['id']} agrees now: take it off the table"


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_a_declared_parser_answers_as_recorded_for_every_split(name):
    cases = [case for case in load("parse") if case["name"] == name]
    assert cases
    for case in cases:
        check(case)


@pytest.mark.parametrize("kind", ["toolparse", "thinkparse"])
def test_the_generic_parser_answers_as_recorded_for_every_split(kind):
    for case in load(kind):
        check(case)


@pytest.mark.parametrize("label", ["par", "nested", "x_multi", "x_values", "x_types"])
def test_an_answer_cut_anywhere_makes_only_calls_of_the_whole_answer(label):
    for case in load("parse"):
        if case["id"].rpartition("/")[2] != label:
            continue
        whole = calls_of(case, case["text"])
        for end in range(len(case["text"])):
            part = calls_of(case, case["text"][:end])
            assert part == whole[: len(part)], (case["id"], case["text"][:end])


def calls_of(case, text):
    return outcome(run(maker(case)(), [text])).get("calls", [])


def test_every_recorded_parser_is_there_and_knows_its_abilities():
    recorded = load("inputs")["info"]["parsers"]
    assert set(recorded) == set(PARSERS)
    for name, info in recorded.items():
        ours = PARSERS[name]
        assert (ours.tools, ours.thinking) == (info["tools"], info["thinking"]), name
        assert set(ours.preserved) == set(info["preserved"] or ()), name


def test_every_deviation_has_a_reason_and_a_case():
    ids = {case["id"] for kind in ("parse", "toolparse", "thinkparse") for case in load(kind)}
    assert set(deviations()) <= ids
    assert {entry["why"] for entry in deviations().values()} == set(WHY)
