"""What is installed: `environment.yml` against `pyproject.toml`, and what `import flowlab` loads."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HEAVY = ("pandas", "matplotlib", "httpx", "aiohttp", "ipywidgets", "dask", "rich", "bs4", "numpy")
ON_USE = ("asyncio", "psutil", "sqlite3", "cloudpickle", "multiprocessing")


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _resolved(requirements: list[str], extras: dict[str, list[str]]) -> set[str]:
    """Requirements with flowlab's own extras replaced by what they stand for."""
    found: set[str] = set()
    for requirement in requirements:
        if requirement.startswith("flowlab["):
            for extra in requirement.removeprefix("flowlab[").rstrip("]").split(","):
                found |= _resolved(extras[extra.strip()], extras)
        else:
            found.add(requirement.replace(" ", ""))
    return found


def test_environment_yml_holds_what_pyproject_does() -> None:
    project = _project()
    extras = project["project"]["optional-dependencies"]
    wanted = _resolved(
        [*project["project"]["dependencies"], "flowlab[all]", *project["dependency-groups"]["dev"]], extras
    )
    wanted.add("python" + project["project"]["requires-python"])
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    given = {entry for entry in listed if isinstance(entry, str) and entry != "pip"}
    given |= {entry for mapping in listed if isinstance(mapping, dict) for entry in mapping["pip"]} - {"-e ."}
    assert given == wanted


def test_required_packages_are_all_there() -> None:
    project = _project()
    extras = project["project"]["optional-dependencies"]
    names = {entry.split(">")[0] for entry in _resolved([*project["project"]["dependencies"], "flowlab[all]"], extras)}
    assert {"jupyterlab", "ipywidgets", "matplotlib", "pandas", "psutil", "nbval", "papermill"} <= names


@pytest.mark.parametrize("module", [*HEAVY, *ON_USE])
def test_importing_flowlab_does_not_load(module: str) -> None:
    code = f"import sys, flowlab; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_is_there_and_shares_no_name_with_a_module() -> None:
    code = (
        "import flowlab as fl, types, pkgutil\n"
        "rooms = {module.name for module in pkgutil.iter_modules(fl.__path__)}\n"
        "for name in fl.__all__:\n"
        "    found = getattr(fl, name)\n"
        "    assert isinstance(found, types.ModuleType) or name not in rooms, name\n"
        "    assert getattr(fl, name) is found, name\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
