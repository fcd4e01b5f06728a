"""How long a training will take is said after its second step, once, with its method."""

from types import SimpleNamespace

import pytest

from helpers.training import TellDuration, duration

ARGS, CONTROL = SimpleNamespace(), SimpleNamespace()


def state_of(steps: int, done: int = 0, first: bool = True):
    return SimpleNamespace(max_steps=steps, global_step=done, is_world_process_zero=first)


def run(monkeypatch, capsys, events, steps=100, price=None):
    """What is printed when steps end, and the model is looked at, at these seconds."""
    clock = iter([at for at, _ in events])
    monkeypatch.setattr(duration, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    callback = TellDuration(price)
    for _, event in events:
        getattr(callback, event)(ARGS, state_of(steps), CONTROL)
    return capsys.readouterr().out


def test_the_second_step_times_the_steps(monkeypatch, capsys):
    printed = run(monkeypatch, capsys, [(10.0, "on_step_end"), (13.0, "on_step_end")])
    assert (
        printed == "the second step took 3.00 s: 100 steps will take about 5 minutes here (looks at validation come on top)\n"
    )


def test_a_look_at_validation_and_a_checkpoint_between_are_left_out(monkeypatch, capsys):
    events = [(10.0, "on_step_end"), (50.0, "on_evaluate"), (60.0, "on_save"), (60.5, "on_step_end")]
    assert "took 0.50 s: 100 steps will take about 50 s" in run(monkeypatch, capsys, events)


def test_money_only_for_who_says_a_price(monkeypatch, capsys):
    events = [(0.0, "on_step_end"), (36.0, "on_step_end")]
    assert "an hour" not in run(monkeypatch, capsys, events)
    assert "60 minutes here, which is 0.40 at 0.4 an hour" in run(monkeypatch, capsys, events, price=0.4)


def test_a_training_that_goes_on_is_told_what_is_left(monkeypatch, capsys):
    clock = iter([10.0, 13.0])
    monkeypatch.setattr(duration, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    callback, state = TellDuration(), state_of(100, 80)
    callback.on_train_begin(ARGS, state, CONTROL)
    for state.global_step in (81, 82):
        callback.on_step_end(ARGS, state, CONTROL)
    assert "20 steps will take about 60 s" in capsys.readouterr().out


def test_it_is_said_once(monkeypatch, capsys):
    events = [(float(at), "on_step_end") for at in range(2)]
    assert run(monkeypatch, capsys, events).count("\n") == 1
    callback = TellDuration()
    callback.steps = 2
    callback.on_step_end(ARGS, state_of(5), CONTROL)
    assert capsys.readouterr().out == ""


def test_it_is_said_again_in_another_training(monkeypatch, capsys):
    clock = iter([10.0, 13.0, 100.0, 102.0])
    monkeypatch.setattr(duration, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    callback = TellDuration()
    for steps, done in ((100, 0), (50, 40)):
        callback.on_train_begin(ARGS, state_of(steps, done), CONTROL)
        for at in range(3):
            callback.on_step_end(ARGS, state_of(steps, done + at + 1), CONTROL)
    first, second = capsys.readouterr().out.splitlines()
    assert "took 3.00 s: 100 steps" in first
    assert "took 2.00 s: 10 steps" in second


def test_of_several_processes_one_says_it(monkeypatch, capsys):
    clock = iter([10.0, 13.0])
    monkeypatch.setattr(duration, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    callback = TellDuration()
    for _ in range(2):
        callback.on_step_end(ARGS, state_of(5, first=False), CONTROL)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("seconds", "words"), [(9.6, "10 s"), (720, "12 minutes"), (9000, "2.5 hours")])
def test_in_words(seconds, words):
    assert duration.in_words(seconds) == words
