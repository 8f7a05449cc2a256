"""What a value was made of: for a definition as a whole, and for each element of a list."""

import asyncio

import pytest

from flowlab.dataflow import DataFlow
from flowlab.errors import FlowError
from flowlab.graph import Definition, operation

every = pytest.mark.parametrize("executor", ["inline", "asyncio", "threads", "processes"])
URLS = [Definition("url", many=True)]


def survey():
    return DataFlow(
        operation(outputs="html")(lambda url: url),
        operation(outputs="link", expand=True, name="links")(lambda html: [html + part for part in "abc"]),
        operation(outputs="row", on_error="skip", name="parse")(lambda link: link if link != "yb" else 1 / 0),
        operation(outputs="report", collect="row", name="summarise")(lambda row: "".join(row)),
        operation(outputs="part", collect="row", name="each")(lambda html, row: row),
        definitions=URLS,
    )


@every
def test_an_element_of_a_list_names_the_elements_it_was_made_of(executor):
    run = survey().run({"url": ["x", "y"]}, ["row", "part"], executor=executor)
    assert run["row"] == ["xa", "xb", "xc", "ya", "yc"]
    assert str(run.lineage("row", 4)).splitlines() == [
        "row[1][2] <- parse", "  link[1][2] <- links", "    html[1] <- html", "      url[1] (given)",
    ]  # fmt: skip
    assert str(run.lineage("row", -1)) == str(run.lineage("row", 4))


@every
def test_a_list_made_for_one_element_names_what_went_into_it_and_not_what_was_lost(executor):
    run = survey().run({"url": ["x", "y"]}, ["part"], executor=executor)
    lineage = run.lineage("part", 1)
    rows = [source.places for source in lineage.sources if source.definition == "row"]
    assert lineage.operations == ("each",) and rows == [(1, 0), (1, 2)]


@every
def test_a_page_found_by_many_names_who_found_it_first(executor):
    links = {"home": ["a", "b"], "a": ["c", "home"], "b": ["c"]}
    flow = DataFlow(
        operation(name="follow", outputs="url", expand=True)(lambda url: links.get(url, [])),
        operation(outputs="title")(lambda url: url),
        definitions=[Definition("url", unique=True)],
    )
    run = flow.run({"url": ["home"]}, ["title"], executor=executor)
    assert str(run.lineage("title", 3)).splitlines() == [
        "title[3] <- title", "  url[3] <- follow", "    url[1] <- follow", "      url[0] (given)",
    ]  # fmt: skip


@every
def test_each_element_names_the_alternative_that_made_it(executor):
    flow = DataFlow(
        operation(name="one", outputs="d", weight=1)(lambda x: 1 / x),
        operation(name="two", outputs="d", weight=2)(lambda x, k: k),
        definitions=[Definition("x", many=True)],
    )
    run = flow.run({"x": [1, 0], "k": 5}, ["d"], executor=executor)
    assert [run.lineage("d", place).operations for place in (0, 1)] == [("one",), ("two",)]
    assert [source.definition for source in run.lineage("d", 1).sources] == ["x", "k"]
    assert run.lineage("d").operations == ("one", "two")


def test_an_element_of_a_product_has_a_place_on_each_parameter():
    flow = DataFlow(
        operation(name="pair", outputs="p", join="product")(lambda a, b: (a, b)), operation(outputs="q")(lambda p: p),
        definitions=[Definition("a", many=True), Definition("b", many=True)],
    )  # fmt: skip
    run = flow.run({"a": [1, 2], "b": [3, 4]})
    assert run["q"][2] == (2, 3)
    assert str(run.lineage("q", 2)).splitlines() == [
        "q[1][0] <- q",
        "  p[1][0] <- pair",
        "    a[1] (given)",
        "    b[0] (given)",
    ]


def test_elements_of_a_streams_items_can_be_asked_for():
    async def main():
        return [run async for run in survey().stream([{"url": ["x"]}, {"url": ["y"]}], ["row"])]

    runs = asyncio.run(main())
    assert [run.lineage("row", 1).places for run in runs] == [(0, 1), (0, 2)]


def test_a_place_that_is_not_there_is_an_error_that_says_what_is():
    run = survey().run({"url": ["x"]}, ["row", "report"])
    with pytest.raises(FlowError, match="'row' has 3 values, so none at place 3"):
        run.lineage("row", 3)
    with pytest.raises(FlowError, match=r"'report' is no list here"):
        run.lineage("report", 0)
    with pytest.raises(FlowError, match=r"'link' was not kept.*outputs=\['link'\]"):
        run.lineage("link", 0)
    with pytest.raises(FlowError, match="did you mean 'row'"):
        run.lineage("rows", 0)


def test_a_value_made_by_a_sub_flow_names_it():
    inner = DataFlow(operation(outputs="s")(lambda a: a), name="inner")
    run = DataFlow(inner, operation(outputs="t")(lambda s: s)).run({"a": 1}, ["t"])
    assert str(run.lineage("t")).splitlines() == ["t <- t", "  s <- inner", "    a (given)"]


def test_the_lineage_of_a_long_chain_reads_without_recursion_and_does_not_grow_with_its_square():
    chain = [operation(name=f"o{i}", inputs={"x": f"d{i}"}, outputs=f"d{i + 1}")(lambda x: x) for i in range(3000)]
    lineage = DataFlow(*chain).run({"d0": 1}, ["d3000"]).lineage("d3000")
    assert str(lineage).count("\n") == 3000 and len(str(lineage)) < 3000 * 120 and len(repr(lineage)) < 200


def test_the_lineage_of_a_long_walk_reads_without_recursion():
    flow = DataFlow(
        operation(name="next", outputs="x", expand=True)(lambda x: [x + 1] if x < 3000 else []),
        operation(outputs="y")(lambda x: x), definitions=[Definition("x", unique=True)],
    )  # fmt: skip
    run = flow.run({"x": [0]}, ["y"])
    assert run["y"] == list(range(3001)) and str(run.lineage("y", 3000)).count("\n") == 3001
