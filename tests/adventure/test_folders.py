"""The notebooks are found from anywhere, or the reader is told where they are."""

import pytest

import flowlab
from flowlab.adventure.folders import FIRST, journal_file, notebooks_folder


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package as if it were installed without its source."""
    monkeypatch.setattr(flowlab, "__file__", str(tmp_path / "site-packages" / "flowlab" / "__init__.py"))
    monkeypatch.delenv("FLOWLAB_JOURNAL", raising=False)
    home = tmp_path / "somewhere"
    home.mkdir()
    monkeypatch.chdir(home)
    return home


def test_a_checkout_has_them_wherever_we_stand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (notebooks_folder() / FIRST).is_file()


def test_outside_a_checkout_the_error_says_where_they_are_to_be_had(installed):
    with pytest.raises(FileNotFoundError, match="come with flowlab's source, in its folder notebooks/"):
        notebooks_folder()


def test_the_folder_we_stand_in_will_do(installed):
    (installed / "notebooks").mkdir()
    (installed / "notebooks" / FIRST).write_text("{}")
    assert notebooks_folder() == installed / "notebooks"


def test_without_notebooks_the_journal_is_kept_where_we_stand(installed):
    assert journal_file(None) == installed / ".flowlab" / "journal.jsonl"
