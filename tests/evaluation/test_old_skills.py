"""Forgetting is measured by what any model can be asked, in whatever form it answers."""

import pytest
from PIL import Image

from helpers.evaluation import generate, measure_old_skills, plain_question, ready, says_one_of, states
from helpers.models import chat
from helpers.tiny import charts_to_describe


@pytest.mark.parametrize(
    "text",
    [
        "It shows 2 values: Spain 30, Peru 4.",
        "- **Spain**: 30\n- **Peru**: 4",
        "| Spain | 30 |\n| Peru | 4 |",
        "Spain has a value of 30 and Peru one of 4",
        "Spain (30%), Peru (4%)",
    ],
)
def test_a_mark_is_stated_in_any_form(text):
    assert states(text, "Spain", 30)
    assert states(text, "Peru", 4)
    assert not states(text, "Spain", 3)
    assert not states(text, "Spain", 4)
    assert not states(text, "Pain", 30)


def test_another_number_is_not_the_value():
    assert not states("Spain 30.5", "Spain", 30)
    assert states("It ends with Spain 30.", "Spain", 30)
    assert not states("Spain is the highest of them all, above 30", "Spain", 30)
    assert not states("Spain 300", "Spain", 30)
    assert not states("Spain 30,000", "Spain", 30)
    assert states("Spain 30, Peru 4", "Spain", 30)
    for sign in "-−":
        assert not states(f"Spain: {sign}30", "Spain", 30)
        assert not states(f"Spain has a value of {sign}30", "Spain", 30)
        assert not states(f"Spain:{sign}30", "Spain", 30)
    assert states("Spain - 30, Peru-4", "Spain", 30)
    assert states("Spain - 30, Peru-4", "Peru", 4)
    assert states("Spain: -30", "Spain", -30)


def test_what_is_denied_is_not_said():
    for text in (
        "This is a photograph, not a chart.",
        "It isn't a chart",
        "There is no chart.",
        "Not the chart",
        "isn’t really a chart",
    ):
        assert not says_one_of(text, ["chart"])
    for text in (
        "It is a chart, not a photograph.",
        "Not a photograph but a chart",
        "Not a chart? It is a chart.",
        "A note: chart",
    ):
        assert says_one_of(text, ["chart"])
    assert says_one_of("It is not 5 but five", ["5", "five"])


def test_plain_questions_are_about_the_picture_its_text_and_neither():
    chart = {"kind": "horizontal bar", "names": ("Peru", "Chad")}
    asked = [plain_question(chart, at) for at in range(6)]
    assert len({question for question, _ in asked}) == 6
    assert plain_question(chart, 6) == asked[0]
    assert says_one_of("This is a bar chart.", asked[0][1])
    assert says_one_of("Chad and another one", asked[1][1])
    assert not says_one_of("Barcelona", asked[0][1])


def test_the_model_is_asked_as_it_was_released(monkeypatch, model, processor):
    """No instruction of ours: the one that a training used would ask for its habits as well."""
    asked = []

    def note(question, system):
        asked.append((question, system))
        return chat(question, system)

    for module in (generate, ready):  # pictures are prepared in the one, or in the other where a family can't take features
        monkeypatch.setattr(module, "chat", note)
    charts = charts_to_describe(2)
    measure_old_skills(model, processor, charts, question="Describe the chart.", max_new_tokens=4)
    assert len(asked) >= 4
    assert {system for _, system in asked} == {None}
    assert [turn["role"] for turn in chat("?", None)] == ["user"]


def test_the_embedded_model_states_what_it_sees_and_nothing_of_another_chart(model, processor):
    charts = charts_to_describe(16, seed=30_000)  # not those that the lessons ask about
    how = {"question": "Describe the chart.", "max_new_tokens": 48}
    found = measure_old_skills(model, processor, charts, **how)
    assert found.stated >= 0.9
    assert 0 <= found.plain <= 1
    assert len(found.descriptions) == 16
    assert f"{found.stated:.2f} of the marks" in str(found)
    blank = [chart | {"image": Image.new("RGB", (512, 512), "white")} for chart in charts]
    assert measure_old_skills(model, processor, blank, **how).stated < 0.2
