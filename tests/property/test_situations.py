"""Whether conditions can hold together: what is found is real, and disjoint ranges are never said to meet."""

from hypothesis import given, settings
from hypothesis import strategies as st

from autopeft.domain.expression import parse_expression
from autopeft.domain.situations import common_situation

_ATOM = st.one_of(
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["model_parameters", "training_rows", "epochs"]),
        st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
        st.sampled_from(["1", "3", "10", "1e9"]),
    ),
    st.sampled_from(["few_trials", "not has_biases", 'priority == "size"', 'priority != "size"', "epochs != null"]),
)
_CONDITION = st.lists(_ATOM, min_size=1, max_size=3).map(" and ".join)


@given(st.lists(_CONDITION, min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_what_is_found_makes_all_conditions_hold(texts: list[str]) -> None:
    conditions = [parse_expression(text) for text in texts]
    situation = common_situation(conditions)
    if situation is not None:
        assert all(condition.holds(situation) for condition in conditions)


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_ranges_meet_exactly_where_they_overlap(low: int, high: int, above: bool, below: bool) -> None:
    first = parse_expression(f"training_rows {'>=' if above else '>'} {low}")
    second = parse_expression(f"training_rows {'<=' if below else '<'} {high}")
    overlap = low < high or (low == high and above and below)
    assert (common_situation([first, second]) is not None) == overlap


def test_conditions_that_compute_can_meet() -> None:
    few = parse_expression("training_rows * epochs / batch_size < 100")
    many = parse_expression("training_rows * epochs / batch_size > 5000")
    assert common_situation([few, parse_expression("epochs <= 3")]) is not None
    assert common_situation([many, parse_expression("training_rows >= 1000")]) is not None
    assert common_situation([few, many]) is None
