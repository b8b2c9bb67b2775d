"""Guidance: how often the network is asked, with what, where it acts, and in which order."""

import math

import pytest
import torch

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.diffusion import (
    ClassifierFreeGuidance,
    GuidanceByAnalogy,
    GuidanceInterval,
    guide,
    make_schedule,
    sample,
)
from latentbloom.errors import ConfigError

SPEC = ConditionSpec((Factor("species", ("rose", "tulip")), Factor("colour", ("red", "blue"))))
COND = {"species": torch.tensor([0, 1, 2]), "colour": torch.tensor([1, 0, 1])}
X_T = torch.arange(12, dtype=torch.float32).reshape(3, 4)


class Spy:
    """x0_hat is 10 species + colour, whatever x_t; remembers the batches it saw."""

    schedule = make_schedule("flow")

    def __init__(self):
        self.batches = []

    def __call__(self, x_t, t, cond):
        self.batches.append(len(x_t))
        return torch.zeros_like(x_t) + (10.0 * cond["species"] + cond["colour"])[:, None]


CONDITIONAL = torch.tensor([1.0, 10.0, 21.0])
UNCONDITIONAL = torch.tensor([22.0, 22.0, 22.0])


def ask(guidance, t=0.5, interval=None):
    spy = Spy()
    guided = guide(spy, SPEC, guidance, interval=interval)
    x0_hat = guided(X_T, torch.full((3,), t), COND)
    assert x0_hat.shape == X_T.shape
    return x0_hat[:, 0], spy.batches


def test_weight_one_is_plain_conditional_in_one_evaluation():
    x0_hat, batches = ask(1.0)
    assert torch.equal(x0_hat, CONDITIONAL)
    assert batches == [3]


def test_weight_zero_is_unconditional_in_one_evaluation():
    x0_hat, batches = ask(0.0)
    assert torch.equal(x0_hat, UNCONDITIONAL)
    assert batches == [3]


@pytest.mark.parametrize("w", [0.5, 1.75, 4.0, -1.0])
def test_other_weights_extrapolate_in_one_doubled_evaluation(w):
    x0_hat, batches = ask(w)
    torch.testing.assert_close(x0_hat, w * CONDITIONAL + (1 - w) * UNCONDITIONAL)
    assert batches == [6]


def test_weight_per_row():
    w = torch.tensor([0.0, 1.0, 3.0])
    x0_hat, batches = ask(w)
    torch.testing.assert_close(x0_hat, w * CONDITIONAL + (1 - w) * UNCONDITIONAL)
    assert batches == [6]
    assert ask(torch.ones(3))[1] == [3]


@pytest.mark.parametrize(("t", "inside"), [(0.1, False), (0.2, True), (0.6, True), (0.7, False)])
def test_guidance_acts_inside_its_interval_alone(t, inside):
    x0_hat, batches = ask(3.0, t=t, interval=(0.2, 0.65))
    expected = 3 * CONDITIONAL - 2 * UNCONDITIONAL if inside else CONDITIONAL
    torch.testing.assert_close(x0_hat, expected)
    assert batches == [6 if inside else 3]


def test_an_interval_may_be_a_single_time():
    for t, inside in ((0.5, True), (0.51, False)):
        assert ask(3.0, t=t, interval=(0.5, 0.5))[1] == [6 if inside else 3]


def test_interval_counts_evaluations_of_a_whole_run():
    spy = Spy()
    guided = guide(spy, SPEC, 2.0, interval=(0.3, 0.7))
    sample(guided, X_T, COND, sampler="euler", num_steps=10)
    assert spy.batches == [3] * 3 + [6] * 4 + [3] * 3  # t = 0.999, ..., 0.0999


def test_conditions_that_are_any_already_stay_unguided():
    spy = Spy()
    null = SPEC.null_like(COND)
    x0_hat = ClassifierFreeGuidance(spy, SPEC, 5.0)(X_T, torch.full((3,), 0.5), null)
    assert torch.equal(x0_hat[:, 0], UNCONDITIONAL)


def test_each_wrapper_has_the_schedule_of_what_it_guides():
    spy = Spy()
    free = ClassifierFreeGuidance(spy, SPEC, 2.0)
    analogy = GuidanceByAnalogy(free, [(0, 0)])
    within = GuidanceInterval(analogy, spy, (0.2, 0.8))
    assert free.schedule is analogy.schedule is within.schedule is spy.schedule


@pytest.mark.parametrize("w", [math.nan, math.inf, torch.tensor([1.0, math.nan])])
def test_guidance_must_be_finite(w):
    with pytest.raises(ConfigError, match=r"^guidance is .*\. It must be a finite number\.$"):
        guide(Spy(), SPEC, w)


@pytest.mark.parametrize(
    "interval", [(0.7, 0.3), (-0.1, 0.5), (0.2, 1.5), (0.2, math.nan), (0.5,), 0.5, ("a", "b")]
)
def test_bad_interval(interval):
    with pytest.raises(ConfigError) as error:
        guide(Spy(), SPEC, 2.0, interval=interval)
    assert str(error.value) == (
        f"The guidance interval {interval} is not two times between 0 and 1, the smaller one first."
    )


class Multiply(Spy):
    """x0_hat is no sum of its factors: 1, 2 or 3 for the species times 1, 7 or 5 for the colour."""

    def __call__(self, x_t, t, cond):
        self.batches.append(len(x_t))
        return torch.zeros_like(x_t) + times(cond["species"], cond["colour"])[:, None]


def times(species, colour):
    return torch.tensor([1.0, 2.0, 3.0])[species] * torch.tensor([1.0, 7.0, 5.0])[colour]


def analogy(denoiser, spec, w, shown):
    return GuidanceByAnalogy(ClassifierFreeGuidance(denoiser, spec, w), shown)


def test_a_combination_that_was_not_shown_is_guided_by_its_shown_neighbours():
    # Rows: rose blue, tulip red, any blue. Shown: all but tulip red.
    shown = [(0, 0), (0, 1), (1, 1)]
    spy = Multiply()
    guided = analogy(spy, SPEC, 1.5, shown)
    assert guided.unseen(COND).tolist() == [False, True, False]
    x0_hat = guided(X_T, torch.full((3,), 0.5), COND)[:, 0]
    # What a tulip changes is seen in blue, what red changes in roses.
    tulip = times(1, 1) - times(2, 1)
    red = times(0, 0) - times(0, 2)
    nothing = times(2, 2)
    joint = nothing + 1.5 * (times(COND["species"], COND["colour"]) - nothing)
    by_analogy = nothing + 1.5 * (tulip + red)
    torch.testing.assert_close(x0_hat, torch.stack([joint[0], by_analogy, joint[2]]))
    assert spy.batches == [5, 4]  # five for the one row, two for each of the others


def test_where_factors_add_up_the_neighbours_give_what_was_asked():
    spy = Spy()
    guided = analogy(spy, SPEC, 1.0, [(0, 0), (0, 1), (1, 1)])
    rows = {name: values[[1]] for name, values in COND.items()}
    torch.testing.assert_close(guided(X_T[:1], torch.ones(1), rows)[:, 0], CONDITIONAL[[1]])
    assert spy.batches == [5]  # and nothing else


def test_a_value_that_no_combination_shows_is_guided_alone():
    spy = Multiply()
    guided = analogy(spy, SPEC, 1.0, [(0, 1), (0, 0)])  # no tulips at all
    rows = {name: values[[1]] for name, values in COND.items()}
    tulip = times(1, 2) - times(2, 2)
    red = times(0, 0) - times(0, 2)
    x0_hat = guided(X_T[:1], torch.full((1,), 0.3), rows)[0, 0]
    torch.testing.assert_close(x0_hat, times(2, 2) + tulip + red)


THREE = ConditionSpec(
    (Factor("a", tuple("wxyz")), Factor("b", tuple("pqrs")), Factor("c", tuple("mn")))
)


class Remember(Spy):
    """Keeps the combinations that it was asked for."""

    def __init__(self):
        self.asked = set()

    def __call__(self, x_t, t, cond):
        self.asked |= set(zip(*(cond[name].tolist() for name in "abc"), strict=True))
        return torch.zeros_like(x_t)


def test_neighbours_have_the_most_in_common_and_take_turns():
    shown = [(0, 1, 0), (0, 2, 0), (0, 3, 1), (1, 0, 0), (2, 3, 1)]
    asked = {"a": torch.tensor([0]), "b": torch.tensor([0]), "c": torch.tensor([0])}
    memory = Remember()
    guided = analogy(memory, THREE, 2.0, shown)
    for t in torch.linspace(0, 1, 21):
        guided(X_T[:1], t.reshape(1), asked)
    assert {rows for rows in memory.asked if rows[:2] == (4, 4)} == {(4, 4, 2)}
    # For a = 0 the two that share c = 0, not the one that shares nothing else; for b = 0 the one
    # there is; for c = 0 all that share a or b.
    assert memory.asked == {
        (4, 4, 2),
        *((0, 1, 0), (4, 1, 0), (0, 2, 0), (4, 2, 0)),
        *((1, 0, 0), (1, 4, 0)),
        *((0, 1, 2), (0, 2, 2), (1, 0, 2)),
    }


def test_the_turn_of_a_neighbour_is_the_same_in_any_batch():
    shown = [(0, 1, 0), (0, 2, 0), (0, 3, 0), (1, 0, 0), (2, 0, 0)]
    rows = {"a": torch.tensor([0, 0, 1]), "b": torch.tensor([0, 1, 0]), "c": torch.tensor([0] * 3)}

    class Mixed(Spy):
        def __call__(self, x_t, t, cond):
            return x_t * (1 + cond["a"] + 3 * cond["b"] * cond["a"])[:, None]

    guided = analogy(Mixed(), THREE, 2.0, shown)
    t = torch.tensor([0.31, 0.31, 0.31])
    whole = guided(X_T, t, rows)
    for k in range(3):
        one = guided(X_T[[k]], t[[k]], {name: values[[k]] for name, values in rows.items()})
        torch.testing.assert_close(one[0], whole[k])


def test_when_everything_asked_was_shown_nothing_is_computed_twice():
    spy = Spy()
    rows = {name: values[[0, 2]] for name, values in COND.items()}
    analogy(spy, SPEC, 1.5, [(0, 1)])(X_T[:2], torch.full((2,), 0.5), rows)
    assert spy.batches == [4]


def test_rows_may_have_a_guidance_each_where_some_are_unseen():
    w = torch.tensor([3.0, 0.5, 2.0])
    rows = {name: values[[1, 1, 0]] for name, values in COND.items()}  # tulip red twice, rose blue
    x0_hat = analogy(Multiply(), SPEC, w, [(0, 0), (0, 1), (1, 1)])(X_T, torch.ones(3), rows)[:, 0]
    for k in range(3):
        row = {name: values[[k]] for name, values in rows.items()}
        one = analogy(Multiply(), SPEC, float(w[k]), [(0, 0), (0, 1), (1, 1)])
        torch.testing.assert_close(one(X_T[[k]], torch.ones(1), row)[0, 0], x0_hat[k])


def test_rows_at_several_times_are_guided_each_by_its_own():
    spy = Spy()
    t = torch.tensor([0.1, 0.5, 0.9])
    x0_hat = guide(spy, SPEC, 3.0, interval=(0.3, 0.7))(X_T, t, COND)[:, 0]
    middle = 3 * CONDITIONAL - 2 * UNCONDITIONAL
    torch.testing.assert_close(x0_hat, torch.where(t == 0.5, middle, CONDITIONAL))


def test_an_interval_works_around_any_two_denoisers():
    class Says(Spy):
        def __init__(self, value):
            self.value = value

        def __call__(self, x_t, t, cond):
            return torch.full_like(x_t, self.value)

    within = GuidanceInterval(Says(5.0), Says(-1.0), (0.25, 0.75))
    for t, value in ((0.2, -1.0), (0.25, 5.0), (0.75, 5.0), (0.8, -1.0)):
        assert bool((within(X_T, torch.full((3,), t), COND) == value).all())


@pytest.mark.parametrize(("t", "w"), [(0.1, 1.0), (0.5, 2.5)])
def test_the_interval_is_around_the_analogy_which_is_around_classifier_free_guidance(t, w):
    shown = [(0, 0), (0, 1), (1, 1)]
    at = torch.full((3,), t)
    composed = guide(Multiply(), SPEC, 2.5, interval=(0.3, 0.7), shown=shown)
    by_hand = analogy(Multiply(), SPEC, w, shown)  # outside the interval w is 1, unseen or not
    assert torch.equal(composed(X_T, at, COND), by_hand(X_T, at, COND))


def test_without_unseen_combinations_or_interval_guidance_is_classifier_free_alone():
    one = ConditionSpec((SPEC.factors[0],))
    assert isinstance(guide(Spy(), SPEC, 2.0), ClassifierFreeGuidance)
    assert isinstance(guide(Spy(), one, 2.0, shown=[(0,)]), ClassifierFreeGuidance)
    assert isinstance(guide(Spy(), SPEC, 2.0, shown=[(0, 0)]), GuidanceByAnalogy)


@pytest.mark.parametrize(("factors", "rows"), [(8, 17), (9, 2), (40, 2)])
def test_many_factors_do_not_make_each_row_cost_many(factors, rows):
    # Of 40 factors hardly any combination that is asked for was shown.
    spec = ConditionSpec(tuple(Factor(f"f{k}", ("no", "yes")) for k in range(factors)))

    class Counts(Multiply):
        seen = 0

        def __call__(self, x_t, t, cond):
            self.seen += len(x_t)
            return x_t

    network = Counts()
    guided = guide(network, spec, 2.0, shown=[(0,) * factors])
    asked = {name: torch.ones(3, dtype=torch.long) for name in spec.names}
    guided(X_T, torch.full((3,), 0.5), asked)
    assert network.seen == 3 * rows
