"""Make airports.csv and LICENSE beside this file from the installed package airportsdata.

    python -m pip install airportsdata==20260905
    python data/make_airports.py            # writes both files
    python data/make_airports.py --check    # exits 1 if the files here differ from what it would write

Kept: the 7 columns the job needs, every airport, ordered by country and ICAO code. Changed: runs of white space in a
text are one space and none at its ends, as a browser shows it.
"""

from __future__ import annotations

import csv
import io
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLUMNS = ("icao", "iata", "name", "city", "country", "lat", "lon")


def airports_csv(distribution: metadata.Distribution) -> str:
    """Return the text of airports.csv."""
    source = Path(str(distribution.locate_file("airportsdata/airports.csv"))).read_text(encoding="utf-8")
    rows = [[" ".join(row[column].split()) for column in COLUMNS] for row in csv.DictReader(io.StringIO(source))]
    rows.sort(key=lambda row: (row[COLUMNS.index("country")], row[COLUMNS.index("icao")]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def licence(distribution: metadata.Distribution) -> str:
    """Return the text of the package's licence."""
    file = next(file for file in distribution.files or () if file.name == "LICENSE")
    return Path(str(distribution.locate_file(file))).read_text(encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write or check the files; return the exit status."""
    distribution = metadata.distribution("airportsdata")
    made = {"airports.csv": airports_csv(distribution), "LICENSE": licence(distribution)}
    status = 0
    for name, text in made.items():
        if "--check" not in arguments:
            (HERE / name).write_text(text, encoding="utf-8", newline="\n")
        elif (HERE / name).read_text(encoding="utf-8") != text:
            print(
                f"data/{name} is not what airportsdata {distribution.version} gives: run python data/make_airports.py"
            )
            status = 1
    print(f"airportsdata {distribution.version}: {made['airports.csv'].count(chr(10)) - 1} airports")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
