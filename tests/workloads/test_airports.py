"""The data file, and the order of the survey."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from flowlab.errors import SettingError
from flowlab.workloads import loneliest
from flowlab.workloads.loneliest import airports
from flowlab.workloads.loneliest.airports import Airport
from flowlab.workloads.loneliest.problems import PageError

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
FIXED = [
    "CL", "FM", "IS", "NO", "JP", "NZ", "DE", "FR", "RU", "VE", "ZA", "CN", "GB", "KI", "GL", "PF", "EG", "FJ", "SB",
    "PT", "KE", "IE", "NP", "MV", "CA", "AU",
]  # fmt: skip


def test_the_file_has_seven_columns_and_about_28300_airports_each_with_its_own_code_and_a_place_on_earth() -> None:
    with (DATA / "airports.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["icao", "iata", "name", "city", "country", "lat", "lon"]
    assert abs(len(rows) - 28_300) < 100
    assert len({row["icao"] for row in rows}) == len(rows)
    assert all(re.fullmatch("[A-Z]{2}", row["country"]) for row in rows)
    assert all(-90 <= float(row["lat"]) <= 90 and -180 <= float(row["lon"]) <= 180 for row in rows)


def test_the_readme_beside_the_file_tells_its_counts_version_and_licence() -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    sizes = airports.sizes()
    singles = sum(1 for size in sizes.values() if size == 1)
    assert f"{sizes.total():,} airports of {len(sizes)} countries" in readme
    assert ", ".join(f"{code} {size:,}" for code, size in sizes.most_common(5)) in readme
    assert f"{singles} countries have one airport" in readme
    assert re.search(r"version \d{8}", readme)
    assert "MIT License" in (DATA / "LICENSE").read_text(encoding="utf-8")


def test_the_script_makes_the_same_file_again() -> None:
    pytest.importorskip("airportsdata")
    version = metadata.version("airportsdata")
    if version not in (DATA / "README.md").read_text(encoding="utf-8"):
        pytest.skip(f"airportsdata {version} is installed, the file is of another version")
    made = subprocess.run([sys.executable, str(DATA / "make_airports.py"), "--check"], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr


def test_the_file_is_found_where_a_wheel_installs_it(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "site-packages"
    shutil.copytree(ROOT / "flowlab", packages / "flowlab", ignore=shutil.ignore_patterns("__pycache__"))
    share = tmp_path / "share" / "flowlab"
    share.mkdir(parents=True)
    shutil.copy(DATA / "airports.csv", share)
    information = packages / "flowlab-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: flowlab\nVersion: 0.1.0\n")
    (information / "RECORD").write_text("../../share/flowlab/airports.csv,,\nflowlab/__init__.py,,\n")
    script = "from flowlab.workloads.loneliest import airports; print(airports.data_file())"
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(packages)},
    )
    assert found.stdout.strip() == str((share / "airports.csv").resolve()), found.stderr


def test_a_missing_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "flowlab", tmp_path / "flowlab", ignore=shutil.ignore_patterns("__pycache__"))
    information = tmp_path / "flowlab-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: flowlab\nVersion: 0.1.0\n")
    script = "from flowlab.workloads.loneliest import airports; airports.data_file()"
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert "airports.csv is missing: install flowlab again" in found.stderr


def test_countries_come_in_the_fixed_order_and_then_by_size_without_us() -> None:
    sizes = airports.sizes()
    order = airports.survey_order(sizes)
    assert order[:26] == FIXED
    assert [sizes[code] for code in order[26:]] == sorted((sizes[code] for code in order[26:]), reverse=True)
    assert set(order) == sizes.keys() - {"US"}


@pytest.mark.parametrize("count", [1, 6, 24, 26, 233])
def test_n_countries_takes_a_prefix_of_the_order(count: int) -> None:
    sizes = airports.sizes()
    assert airports.choose(sizes, count) == airports.survey_order(sizes)[:count]


def test_us_comes_only_by_name() -> None:
    assert airports.choose(airports.sizes(), 24, ["US", "CL"]) == ["US", "CL"]


@pytest.mark.parametrize(
    ("count", "names", "sentence"),
    [
        (0, None, "n_countries=0 is not possible: choose a whole number from 1 to 233"),
        (234, None, "from 1 to 233"),
        (2.5, None, "n_countries=2.5"),
        (True, None, "n_countries=True"),
        (24, ["XX"], "there is no country 'XX'"),
        (24, [], "countries is empty"),
        (24, ["CL", "CL"], "twice"),
    ],
)
def test_an_impossible_choice_of_countries_is_refused_in_a_sentence(
    count: int, names: list[str] | None, sentence: str
) -> None:
    with pytest.raises(SettingError, match=re.escape(sentence)):
        airports.choose(airports.sizes(), count, names)


def test_the_scales_are_the_ones_announced() -> None:
    assert {name: tuple(scale.values()) for name, scale in loneliest.SCALES.items()} == {
        "tiny": (6, 5),
        "demo": (24, 20),
        "class": (26, 40),
        "large": (len(airports.survey_order(airports.sizes())), 10),
    }


def test_airports_survive_being_written_and_read_again() -> None:
    entries = [Airport("AAAA", "", 'Comma, "quote" & <b>', "Ísafjörður\u2028", "IS", -1.5, 1e-7)]
    assert airports.read_csv(airports.write_csv(entries)) == entries


@pytest.mark.parametrize(
    "text",
    ["", "no,such,heading\n", airports.write_csv([]) + "too,few\n", airports.write_csv([]) + "a,b,c,d,e,north,1\n"],
)
def test_a_text_that_is_not_our_csv_is_refused(text: str) -> None:
    with pytest.raises(PageError):
        airports.read_csv(text)
