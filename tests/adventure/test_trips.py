"""A trip takes the same branch by parameter, by call and by widget, and says clearly what it does not know."""

import os

import httpx
import pytest

from flowlab.adventure import pickers, trips
from flowlab.adventure.chapters import SCALES, Branch, Chapter, Decision
from flowlab.adventure.journals import Journal
from flowlab.adventure.outcomes import Outcome
from flowlab.adventure.parameters import Parameter
from flowlab.adventure.series import CHAPTERS
from flowlab.errors import SettingError
from flowlab.workloads import loneliest

RUNS = []
SCALED = ("scale", "n_countries", "latency_ms", "repeats")


def walk(settings, progress, *, site):
    progress(0, 1, "walking")
    RUNS.append(("walk", site))
    progress(1, 1, "")
    return Outcome("road", "walk", f"road 'walk': {settings['seed']} steps.", "Slow.", facts={"walk": {"n": 1}})


def fly(settings, progress, *, site):
    raise OSError("no wings <here>")


@pytest.fixture
def trip(tmp_path, monkeypatch):
    RUNS.clear()
    decision = Decision(
        "road",
        "path",
        (Branch("walk", "on foot", f"{__name__}:walk", ()), Branch("fly", "by air", f"{__name__}:fly", ())),
    )
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").SimpleNamespace(walk=walk, fly=fly))
    parameters = (Parameter("path", "str", "walk", "which", choices=("walk", "fly")),)
    this = trips.Trip(
        Chapter("99_test", "Test", parameters, decision),
        {"seed": 7, "scale": "tiny"},
        Journal(tmp_path / "journal.jsonl"),
    )
    monkeypatch.setattr(trips, "_current", this)
    return this


def radio_button_shown(box):
    return box.children


def test_decide_prints_one_line_and_keeps_the_choice(trip, capsys):
    assert trips.decide("road", {"walk": "on foot", "fly": "by air"}, default="walk") == "walk"
    assert capsys.readouterr().out == "Your road: walk, on foot.\n"
    assert trip.journal.last("choice").facts == {"by": "default"}


def test_a_choice_that_is_no_option_is_refused_with_the_options(trip):
    with pytest.raises(SettingError, match=r"'swim' is not a road to take\. Choose: walk, fly"):
        trips.decide("road", {"walk": "on foot", "fly": "by air"}, default="swim")
    with pytest.raises(SettingError, match=r"has no decision 'goal'\. It has: road"):
        trips.decide("goal", ["fast"], default="fast")


def test_an_outcome_before_the_decision_says_which_cell_to_run(trip):
    with pytest.raises(SettingError, match=r"run the cell with adventure.decide\('road'"):
        trips.outcome("road", site=1)


def test_the_outcome_is_run_each_time_and_kept_with_parameters_and_machine(trip):
    trips.decide("road", ["walk", "fly"], default="walk")
    first, second = trips.outcome("road", site=1), trips.outcome("road", site=1)
    assert first.line == second.line == "road 'walk': 7 steps."
    assert len(RUNS) == 2
    kept = trip.journal.last("result")
    assert kept.facts["parameters"] == {"seed": 7, "scale": "tiny", "path": "walk"}
    assert kept.facts["summary"] == {"walk": {"n": 1}}
    assert "Python" in kept.facts["machine"]


def test_the_widget_runs_the_parameters_function_and_the_next_cell_uses_it(trip):
    trips.decide("road", ["walk", "fly"], default="fly")
    radio, button, shown = radio_button_shown(pickers.widget("road", site=1))
    assert radio.value == "fly"
    radio.value = "walk"
    button.click()
    assert "road &#x27;walk&#x27;: 7 steps." in shown.value
    assert trips.outcome("road", site=1).line == "road 'walk': 7 steps."
    assert RUNS == [("walk", 1)], "the next cell takes what the widget has found"
    trips.outcome("road", site=1)
    assert len(RUNS) == 2, "and a cell run once more measures once more"
    assert trip.journal.last("choice").facts == {"by": "widget"}
    assert trip.journal.last("result").facts["parameters"]["path"] == "walk", "not what the parameters cell says"


def test_the_parameter_takes_over_again_when_its_cell_is_run(trip):
    trips.decide("road", ["walk", "fly"], default="walk")
    pickers.take_option(trip, "road", "walk", {"site": 1})
    trips.decide("road", ["walk", "fly"], default="walk")
    assert trip.picked == {}


def test_an_error_in_a_branch_is_shown_in_the_widget(trip):
    trips.decide("road", ["walk", "fly"], default="fly")
    _, button, shown = radio_button_shown(pickers.widget("road", site=1))
    button.click()
    assert "It did not work:</b> no wings &lt;here&gt;" in shown.value


def test_a_prediction_is_given_by_widget(trip, capsys):
    prediction = trips.predict("time", "How long?", {"long": "hours", "short": "seconds"})
    assert "not attempted" in capsys.readouterr().out
    radio, button, shown = radio_button_shown(pickers.widget("time"))
    button.click()
    assert "Choose one first" in shown.value
    assert prediction.answer is None
    radio.value = "short"
    button.click()
    assert prediction.answer == "short"
    assert trip.journal.last("prediction").value == "short"


def test_a_press_that_waited_while_the_experiment_ran_does_not_start_it_again(trip):
    now = [0.0]
    taken = []
    box = pickers.picker({"a": "A"}, "a", "Go", lambda option, say: str(taken.append(option)), "", clock=lambda: now[0])
    button = box.children[1]
    button.click()
    now[0] += 0.01
    button.click()
    assert taken == ["a"]
    now[0] += 1
    button.click()
    assert taken == ["a", "a"]


def test_what_is_opened_is_closed_before_it_is_opened_again(trip):
    events = []

    class Door:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            events.append(f"open {self.name}")
            return self

        def __exit__(self, *_):
            events.append(f"close {self.name}")

    trip.open(Door("first"))
    trip.open(Door("second"))
    trip.close()
    assert events == ["open first", "close first", "open second", "close second"]


def test_without_a_notebook_under_way_the_error_says_what_to_run(monkeypatch):
    monkeypatch.setattr(trips, "_current", None)
    with pytest.raises(SettingError, match="run its first code cells"):
        trips.current()


@pytest.fixture
def namespace(monkeypatch, tmp_path):
    monkeypatch.setattr(trips, "_current", None)
    monkeypatch.setenv("FLOWLAB_JOURNAL", str(tmp_path / "journal.jsonl"))
    monkeypatch.delenv("FLOWLAB_SCALE", raising=False)
    return {p.name: p.default for p in CHAPTERS["02_login_crawl_parse"].parameters}


def test_begin_fills_in_what_the_scale_says(namespace, monkeypatch):
    assert trips.begin("02_login_crawl_parse", namespace).settings["n_countries"] == 24
    monkeypatch.setenv("FLOWLAB_SCALE", "tiny")
    settings = trips.begin("02_login_crawl_parse", namespace).settings
    assert [settings[name] for name in SCALED] == ["tiny", 6, 5, 1]


def test_a_parameter_wins_over_the_scale_and_the_scale_over_the_environment(namespace, monkeypatch):
    monkeypatch.setenv("FLOWLAB_SCALE", "tiny")
    settings = trips.begin("02_login_crawl_parse", namespace | {"scale": "class", "latency_ms": 1}).settings
    assert [settings[name] for name in SCALED] == ["class", 26, 1, 3]


def test_an_unknown_scale_in_the_environment_is_refused_with_the_scales(namespace, monkeypatch):
    monkeypatch.setenv("FLOWLAB_SCALE", "huge")
    with pytest.raises(SettingError, match=r"FLOWLAB_SCALE is 'huge'.*Choose: tiny, demo, class, large"):
        trips.begin("02_login_crawl_parse", namespace)


def test_begin_refuses_a_notebook_that_is_not_there_yet(namespace):
    with pytest.raises(SettingError, match=r"Ready: 00_start_here, .*02_login_crawl_parse"):
        trips.begin("99_nowhere", namespace)


@pytest.fixture
def own(monkeypatch):
    monkeypatch.delenv("FLOWLAB_SCALE", raising=False)
    scaled = {"tiny": {"n_items": 4, "latency_ms": 1}, "class": {"n_items": 400, "latency_ms": 2}}
    return Chapter("99_test", "Test", scale="class", scaled=scaled)


def test_a_chapter_has_a_scale_of_its_own_and_its_parameters_too(own):
    nothing = dict.fromkeys(("scale", "n_items", "latency_ms", "repeats"))
    assert trips.resolved(own, nothing) == {"scale": "class", "n_items": 400, "latency_ms": 2, "repeats": 3}
    assert trips.resolved(own, nothing | {"scale": "tiny", "n_items": 5})["n_items"] == 5
    assert trips.resolved(own, nothing | {"scale": "tiny"})["latency_ms"] == 1


def test_a_claim_is_not_asserted_of_a_chapters_own_parameter_set_otherwise(own, monkeypatch, capsys):
    settings = trips.resolved(own, {"scale": "class", "n_items": 3, "latency_ms": None})
    monkeypatch.setattr(trips, "_current", trips.Trip(own, settings, Journal(None)))
    trips.claim("it is faster", 1.0, 2.0, 1.1)
    assert "since you chose n_items = 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"), [({}, ""), ({"n_workers": 32}, "n_workers = 32"), ({"path": "all", "repeats": 9, "seed": 1}, "")]
)
def test_a_claim_is_not_asserted_of_a_parameter_that_no_scale_sets(given, said, monkeypatch, capsys):
    chapter = CHAPTERS["03_threads"]
    settings = trips.resolved(chapter, {p.name: p.default for p in chapter.parameters} | {"scale": "demo"} | given)
    monkeypatch.setattr(trips, "_current", trips.Trip(chapter, settings, Journal(None)))
    trips.claim("it is faster", 3.0, 2.0, 1.1)
    assert capsys.readouterr().out.startswith(f"Not asserted, since you chose {said}" if said else "Holds")


def test_the_site_is_reached_where_a_proxy_is_set(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    with loneliest.site(latency_ms=0) as site:
        with pytest.raises(httpx.ConnectError):
            httpx.get(site.url + "/login")
        given = {p.name: p.default for p in CHAPTERS["00_start_here"].parameters}
        trips.begin("00_start_here", given | {"journal": "none"}).close()
        assert httpx.get(site.url + "/login").status_code == 200
    assert os.environ["NO_PROXY"] == "127.0.0.1,localhost"


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("chapter", [c for c in CHAPTERS.values() if c.ready], ids=lambda c: c.name)
def test_every_number_of_every_notebook_has_a_value_at_every_scale(chapter, scale):
    settings = trips.resolved(chapter, {p.name: p.default for p in chapter.parameters} | {"scale": scale})
    assert all(settings[p.name] is not None for p in chapter.parameters if p.type != "str")
