"""One look a name, in both themes."""

import re

import pytest

from flowlab.errors import SettingError
from flowlab.plots.theme import (
    STRATEGY_LOOKS,
    THEMES,
    operation_colours,
    shown_operations,
    strategy_looks,
    theme_named,
    translation,
)


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_known_strategies_differ_in_colour_and_again_in_marker_hatch_and_line() -> None:
    looks = STRATEGY_LOOKS.values()
    for part in ("colour", "marker", "hatch"):
        assert len({getattr(look, part) for look in looks}) == len(looks)
    assert len({str(look.line) for look in looks}) >= len(looks) - 1


def test_a_known_strategy_looks_the_same_in_any_company() -> None:
    assert strategy_looks(["mine", "threads"])["threads"] == strategy_looks(["threads"])["threads"]


def test_unknown_strategies_take_looks_that_no_known_one_has() -> None:
    looks = strategy_looks([*STRATEGY_LOOKS, "mine", "yours", "theirs"])
    assert len({(look.colour, look.marker) for look in looks.values()}) == len(looks)
    assert len({look.marker for look in looks.values()}) == len(looks)


def test_unknown_operations_take_colours_not_in_use() -> None:
    colours = operation_colours(["download", "parse", "fetch", "score"])
    assert len(set(colours.values())) == 4


@pytest.mark.parametrize("name", THEMES)
def test_words_can_be_read_on_the_paper(name: str) -> None:
    theme = theme_named(name)
    assert contrast(theme.ink, theme.paper) >= 7
    assert contrast(theme.muted, theme.paper) >= 4.5


@pytest.mark.parametrize("name", THEMES)
def test_tints_stay_apart_so_that_a_picture_can_change_its_theme(name: str) -> None:
    other = THEMES["dark" if name == "light" else "light"]
    table = translation(theme_named(name), other)
    assert len(table) == 4 + 8 + 9 * 4 + 1
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for pair in table.items() for colour in pair)


def test_an_unknown_theme_is_refused_with_the_choices() -> None:
    with pytest.raises(SettingError, match="light, dark"):
        theme_named("sepia")


def test_of_too_many_operations_the_least_are_drawn_as_one() -> None:
    times = {f"step {place}": 10.0 - place for place in range(9)} | {"start workers": 0.0}
    shown = shown_operations(times)
    assert [name for name, drawn in shown.items() if drawn == "other"] == ["step 7", "step 8"]
    assert shown["start workers"] == "start workers"
    colours = operation_colours(shown.values())
    assert len(set(colours.values())) == len(colours)


def test_as_many_operations_as_there_are_colours_keep_their_names() -> None:
    times = dict.fromkeys(["download", "parse", "compute", *"abcde"], 1.0)
    assert shown_operations(times) == {name: name for name in times}
    assert len(set(operation_colours(times).values())) == 8
