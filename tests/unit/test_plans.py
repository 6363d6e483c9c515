"""A plan is a generator that says what it needs; one that needs nothing runs by itself."""

from __future__ import annotations

import pytest

from threadstore.plans import NOTHING, Plan, Sql, run


def answer() -> Plan[int]:
    yield from NOTHING
    return 42


def doubled() -> Plan[int]:
    return 2 * (yield from answer())


def of_a_database() -> Plan[int]:
    [[row]] = yield [Sql("SELECT count(*) FROM events WHERE thread = ?", ("a",))]
    return int(row[0])


def refused() -> Plan[int]:
    yield from NOTHING
    raise ValueError("no")


def test_a_plan_that_asks_for_nothing_runs_to_its_end():
    """Its result is returned, also through plans that it is made of."""
    assert run(answer()) == 42
    assert run(doubled()) == 84


def test_what_a_plan_raises_is_raised():
    """A refusal reaches whoever runs the plan."""
    with pytest.raises(ValueError, match=r"^no$"):
        run(refused())


def test_a_plan_that_asks_is_not_run_without_a_database():
    """Nothing answers it, so it is a mistake to run it so, and the message tells what was asked."""
    with pytest.raises(TypeError, match=r"a plan without a database asked for .*SELECT count"):
        run(of_a_database())


def test_a_driver_sends_the_answers_in():
    """A step is a list of queries, and what comes back is the rows of each."""
    plan = of_a_database()
    [query] = next(plan)
    assert (query.text.count("?"), query.values) == (1, ("a",))
    with pytest.raises(StopIteration) as end:
        plan.send([[(7,)]])
    assert end.value.value == 7


def test_a_query_needs_no_values():
    """A statement without a ``?`` has none."""
    assert Sql("SELECT 1").values == ()
