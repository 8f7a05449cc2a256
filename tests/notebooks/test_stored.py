"""The stored notebooks are what the branch table says, what the rubric asks, and no more than they may be."""

import ast
import re

import nbformat
import pytest

from flowlab.adventure import CHAPTERS, notebooks_folder
from flowlab.adventure.exercises import stub_of
from flowlab.adventure.series import PLACES
from flowlab.adventure.storing import IGNORED, stored, text_of

NAMES = [chapter.name for chapter in CHAPTERS.values() if chapter.ready]
DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def section(notebook, heading):
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", prose(notebook) + "\n", re.M | re.S)
    assert found, f"no section {heading!r}"
    return found.group(1)


def test_a_notebook_is_marked_ready_exactly_if_it_is_there():
    assert sorted(path.stem for path in notebooks_folder().glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
class TestNotebook:
    @pytest.fixture
    def notebook(self, notebooks, name):
        return notebooks[name]

    def test_the_parameters_cell_is_the_tables_names_types_defaults_and_choices(self, notebook, name):
        import papermill

        found = papermill.inspect_notebook(str(notebooks_folder() / f"{name}.ipynb"))
        assert list(found) == [p.name for p in CHAPTERS[name].parameters]
        for parameter in CHAPTERS[name].parameters:
            told = found[parameter.name]
            assert ast.literal_eval(told["default"]) == parameter.default
            assert told["inferred_type_name"] == parameter.type
            assert told["help"] == parameter.text
            assert all(choice in told["help"] for choice in parameter.choices)

    def test_the_options_offered_are_the_tables(self, notebook, called, name):
        [decide] = called(notebook, "decide")
        key, options = (ast.literal_eval(argument) for argument in decide.args[:2])
        assert (key, options) == (CHAPTERS[name].decision.key, CHAPTERS[name].decision.options)
        assert [ast.unparse(word.value) for word in decide.keywords] == [CHAPTERS[name].decision.parameter]

    def test_every_prediction_is_answered_by_a_parameter_of_its_own_and_revealed(self, notebook, predicted, name):
        answers = [(parameter, options) for parameter, options in predicted(notebook).values()]
        assert answers
        assert sorted(answers) == sorted((guess.name, guess.choices) for guess in CHAPTERS[name].guesses)
        assert sum(cell.source.count(".reveal(") for cell in code(notebook)) >= len(answers)

    def test_the_last_notebook_of_a_part_has_the_parts_quiz(self, notebook, called, name):
        found = [[ast.literal_eval(c.args[0]), *map(ast.unparse, c.args[1:])] for c in called(notebook, "quiz")]
        numbers = [p.name for p in CHAPTERS[name].parameters if p.name.startswith("quiz_")]
        keys = [key for key, place in PLACES.items() if place == name]
        assert found == [[key, *numbers] for key in keys]
        assert bool(numbers) == bool(keys)
        for key in keys:
            assert key in [ast.literal_eval(c.args[0]) for c in called(notebook, "widget")]

    def test_a_widget_is_alone_in_its_cell_and_nobody_checks_its_view(self, notebook, name):
        widgets = [cell for cell in code(notebook) if "adventure.widget(" in cell.source]
        assert widgets
        for cell in widgets:
            assert IGNORED in cell.metadata.tags
            assert len(ast.parse(cell.source).body) == 1
        assert not re.search(r"interact\(|widgets\.Output", "\n".join(cell.source for cell in code(notebook)))

    def test_stub_and_solution_cannot_drift_apart(self, notebook, tagged, name):
        stubs, solutions = tagged(notebook, "exercise"), tagged(notebook, "solution")
        assert {stub.metadata.flowlab.exercise for stub in stubs} == set(CHAPTERS[name].exercises)
        for stub, solution in zip(stubs, solutions, strict=True):
            assert stub.metadata.flowlab == solution.metadata.flowlab
            assert stub.source == stub_of(solution.source)
            assert solution.metadata.jupyter.source_hidden
            assert notebook.cells.index(stub) < notebook.cells.index(solution)

    def test_it_is_built_as_the_rubric_asks(self, notebook, name):
        text = prose(notebook)
        assert len(re.findall(r"^# ", text, re.M)) == 1
        assert notebook.cells[0].source.startswith("# ")
        for said in ("**Time**", "**You need**", "minutes"):
            assert said in notebook.cells[0].source
        abilities = re.findall(r"^\d+\. (.+?)[.;]?$", section(notebook, "What you will be able to do"), re.M)
        recap = re.findall(r"^\d+\. \*\*(.+?)\*\*", section(notebook, "What you can do now"), re.M)
        assert len(abilities) >= 3
        assert [each.rstrip(".:") for each in recap] == abilities
        assert "<details>" in text, "a hint to open"

    def test_links_lead_to_what_is_there_and_every_branch_says_where_next(self, notebook, name):
        for target in LINK.findall(prose(notebook)):
            if not target.startswith(("http://", "https://", "#")):
                assert (notebooks_folder() / target.partition("#")[0]).is_file(), target
        after = section(notebook, "Where next")
        for branch in CHAPTERS[name].decision.branches:
            line = next(line for line in after.splitlines() if f"**{branch.option}**" in line)
            for following in branch.then:
                there = f"]({following}.ipynb)"
                if CHAPTERS[following].ready:
                    assert there in line
                else:
                    assert following[:2] in line
                    assert there not in line
                    assert "not there yet" in line

    def test_no_process_runs_what_a_cell_defines(self, notebook, name):
        """Worker processes that are spawned cannot import a notebook's own functions: a pool would hang."""
        for cell in code(notebook):
            if re.search(r"ProcessPoolExecutor|multiprocessing", cell.source):
                defined = {
                    n.name for c in code(notebook) for n in ast.walk(ast.parse(c.source)) if isinstance(n, DEFINED)
                }
                used = {n.id for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Name)}
                assert not used & defined, cell.id

    def test_it_is_small_and_stored_as_storing_would(self, notebook, name):
        path = notebooks_folder() / f"{name}.ipynb"
        text = path.read_text("utf-8")
        assert len(text) < 200_000
        assert text == text_of(stored(nbformat.reads(text, as_version=4))), "run python -m flowlab.adventure.storing"
        nbformat.validate(notebook)

    def test_code_fits_a_screen_1280_pixels_wide(self, notebook, name):
        for cell in code(notebook):
            if "parameters" not in cell.metadata.get("tags", []):
                assert max(map(len, cell.source.splitlines())) <= 104, cell.source

    def test_cells_have_names_that_stay(self, notebook, name):
        ids = [cell.id for cell in notebook.cells]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-z][a-z-]+", each) for each in ids), "name a cell by what it does"

    def test_there_is_something_to_check_beside_the_decision(self, notebook, name):
        checked = [c for c in code(notebook) if c.outputs and IGNORED not in c.metadata.get("tags", [])]
        assert len(checked) >= 5
