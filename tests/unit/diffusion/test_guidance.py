"""Guidance: how often the network is asked, with what, and where it acts."""

import pytest
import torch

from latentbloom.data.conditions import ConditionSpec, Factor
from latentbloom.diffusion import Guided, make_schedule, sample
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
    guided = Guided(spy, SPEC, guidance, interval=interval)
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


def test_interval_counts_evaluations_of_a_whole_run():
    spy = Spy()
    guided = Guided(spy, SPEC, 2.0, interval=(0.3, 0.7))
    sample(guided, X_T, COND, sampler="euler", num_steps=10)
    assert spy.batches == [3] * 3 + [6] * 4 + [3] * 3  # t = 0.999, ..., 0.0999


def test_conditions_that_are_any_already_stay_unguided():
    spy = Spy()
    null = SPEC.null_like(COND)
    x0_hat = Guided(spy, SPEC, 5.0)(X_T, torch.full((3,), 0.5), null)
    assert torch.equal(x0_hat[:, 0], UNCONDITIONAL)


def test_guided_has_the_schedule_of_what_it_guides():
    spy = Spy()
    assert Guided(spy, SPEC, 2.0).schedule is spy.schedule


@pytest.mark.parametrize("interval", [(0.7, 0.3), (-0.1, 0.5), (0.2, 1.5)])
def test_bad_interval(interval):
    with pytest.raises(ConfigError) as error:
        Guided(Spy(), SPEC, 2.0, interval=interval)
    assert str(error.value) == (
        f"The guidance interval {interval} is not two times between 0 and 1, the smaller one first."
    )


def test_a_combination_that_was_not_shown_is_guided_by_each_factor():
    # Rows: rose blue, tulip red, any blue. Shown: all but tulip red.
    shown = [(0, 0), (0, 1), (1, 1)]
    spy = Spy()
    guided = Guided(spy, SPEC, 1.5, shown=shown)
    unseen = guided.unseen(COND)
    assert unseen is not None
    assert unseen.tolist() == [False, True, False]
    x0_hat = guided(X_T, torch.full((3,), 0.5), COND)[:, 0]
    joint = 1.5 * CONDITIONAL - 0.5 * UNCONDITIONAL
    alone = torch.tensor([10.0 * 1 + 2, 10.0 * 2 + 0])  # tulip of any colour, anything red
    apart = UNCONDITIONAL[1] + 1.5 * (alone - UNCONDITIONAL[1]).sum()
    torch.testing.assert_close(x0_hat, torch.stack([joint[0], apart, joint[2]]))
    assert spy.batches == [6, 9]  # the other rows are computed as ever


def test_when_everything_asked_was_shown_nothing_is_computed_twice():
    spy = Spy()
    rows = {name: values[[0, 2]] for name, values in COND.items()}
    Guided(spy, SPEC, 1.5, shown=[(0, 1)])(X_T[:2], torch.full((2,), 0.5), rows)
    assert spy.batches == [4]
