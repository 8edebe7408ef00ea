"""Learning rates over a run, and the running average of weights."""

import keras
import numpy as np
import pytest

from keras_colorize.recipes import Optimizer, Recipe
from keras_colorize.training import build_stages
from keras_colorize.training.average import AveragedWeights
from keras_colorize.training.header import describe_rate
from keras_colorize.training.schedules import WarmupAndDecay


def test_the_rate_rises_and_falls_linearly():
    schedule = WarmupAndDecay(0.1, 4, decay=True, total_steps=43)
    rates = [float(schedule(step)) for step in range(44)]
    np.testing.assert_allclose(rates[:4], [0.025, 0.05, 0.075, 0.1], rtol=1e-5)
    np.testing.assert_allclose(np.diff(rates[4:43]), -0.0025, rtol=1e-3)
    assert rates[42] == pytest.approx(0.0025) and rates[43] == 0


def test_a_warmup_takes_at_most_a_tenth_of_the_stage():
    schedule = WarmupAndDecay(0.1, 200, decay=True, total_steps=10)
    assert schedule.warmup == 1
    assert float(schedule(0)) == pytest.approx(0.1)
    assert WarmupAndDecay(0.1, 200, decay=True, total_steps=1000).warmup == 100
    assert WarmupAndDecay(0.1, 200, decay=True, total_steps=5000).warmup == 200


def test_without_decay_it_stays():
    schedule = WarmupAndDecay(0.1, 2, decay=False)
    np.testing.assert_allclose([float(schedule(step)) for step in (0, 1, 2, 1000)], [0.05, 0.1, 0.1, 0.1], rtol=1e-6)


def test_a_stage_tells_its_schedules_how_long_it_is():
    recipe = Recipe.load(
        "vivid", ["generator.args={filters=[8,8,8], width=8}", "schedule.epochs=3", "data.image_size=32"]
    )
    (stage,) = build_stages(recipe)
    stage.set_steps_per_epoch(100)
    (schedule,) = stage.schedules
    assert (schedule.total_steps, schedule.warmup) == (300, 30)
    assert float(schedule(29)) == pytest.approx(recipe.optimizer.learning_rate, rel=0.01)
    assert float(schedule(299)) < 0.01 * recipe.optimizer.learning_rate


@pytest.mark.parametrize(
    ("warmup_steps", "decay", "words"),
    [
        (0, False, "0.1"),
        (20, False, "0.1, after a warm-up of 20 steps"),
        (0, True, "0.1, falling linearly to 0 at step 1000 of the stage"),
        (
            200,
            True,
            "0.1, after a warm-up of 100 steps (the recipe's 200 are more than a tenth of the run), falling linearly to"
            " 0 at step 1000 of the stage",
        ),
    ],
)
def test_a_rate_in_words(warmup_steps, decay, words):
    options = Optimizer(learning_rate=0.1, warmup_steps=warmup_steps, decay="linear" if decay else "none")
    schedules = [WarmupAndDecay(0.1, warmup_steps, decay=decay, total_steps=1000)] if warmup_steps or decay else []
    assert describe_rate(options, schedules) == words


def test_an_average_follows_its_weights_and_they_come_back():
    weight = keras.Variable([0.0])
    average = AveragedWeights([weight], keep=0.5)
    expected = 0.0
    for step, value in enumerate([1.0, 2.0, 4.0], start=1):
        weight.assign([value])
        average.update(step)
        keep = min(0.5, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * value
    with average.in_place():
        assert float(weight[0]) == pytest.approx(expected)
    assert float(weight[0]) == 4.0
