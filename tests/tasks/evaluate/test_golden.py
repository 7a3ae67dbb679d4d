"""Queries that are made of the documents."""

from tasks.evaluate.golden import Bootstrap, Golden, golden_pairs, split_place
from tasks.records import Document, DocumentId, DocumentRef, Format, Listing

BODY = "Open the valve by a quarter turn, wait for a minute, and read the gauge before anything else is touched.\n"


def document(path: str, text: str, form: Format = "markdown") -> Document:
    ref = DocumentRef(DocumentId(f"s:{path}"), "s", path, "")
    return Document(ref, text, form, language=".py" if form == "code" else "")


class Shelf:
    name = "s"

    def __init__(self, *documents: Document) -> None:
        self._documents = {one.ref.id: one for one in documents}

    def list(self) -> Listing:
        return Listing("s", tuple(one.ref for one in self._documents.values()))

    def read(self, ref: DocumentRef, /) -> Document:
        return self._documents[ref.id]


PUMP = document("a/pump.md", f"# Pump\n\nSee [the storm checklist](../storm.md).\n\n## Greasing a bearing\n\n{BODY}")
STORM = document("storm.md", f"# Storm\n\n## Before the storm\n\n{BODY}\n## Getting started\n\n{BODY}")
OTHER = document("other.md", f"# Other\n\n## Getting started\n\n{BODY}")
CODE = document(
    "pump.py",
    'class Pump:\n    """All about a pump and its valves."""\n\n    def open(self, turns: float) -> None:\n'
    '        """Opens the valve by so many e.g. quarter turns. It doesn\'t wait."""\n'
    "        self.valve = turns * QUARTER_OF_A_TURN_IN_DEGREES\n        self.await_gauge()\n",
    "code",
)


def by_query(*documents: Document) -> dict[str, Golden]:
    return {pair.query: pair for pair in golden_pairs(documents)}


def test_titles_docstrings_and_links_become_queries() -> None:
    pairs = by_query(PUMP, STORM, OTHER, CODE)
    assert {query: pair.kind for query, pair in pairs.items()} == {
        "Greasing a bearing": "heading",
        "Before the storm": "heading",
        "the storm checklist": "link",
        "Opens the valve by so many e.g": "docstring",
    }
    link, heading = pairs["the storm checklist"], pairs["Greasing a bearing"]
    assert (link.document, link.span, link.cut.document) == (STORM.ref.id, None, PUMP.ref.id)
    assert heading.span is not None
    assert PUMP.text[heading.span.start : heading.span.end].strip() == BODY.strip()


def test_a_title_that_several_sections_have_asks_for_none() -> None:
    assert "Getting started" in by_query(PUMP, OTHER)
    assert "Getting started" not in by_query(STORM, OTHER)


def test_a_link_to_what_is_not_there_asks_for_nothing() -> None:
    assert "the storm checklist" not in by_query(PUMP, OTHER)


def test_what_became_a_query_is_taken_out_and_nothing_moves() -> None:
    made = Bootstrap(golden_pairs([PUMP, STORM, CODE]))
    source = made.without_queries({"s": Shelf(PUMP, STORM, OTHER, CODE)})["s"]
    for one in (PUMP, STORM, CODE):
        text = source.read(one.ref).text
        assert len(text) == len(one.text)
        assert not [pair.query for pair in made.pairs if pair.query in text]
    assert BODY in source.read(PUMP.ref).text
    assert "def open(self, turns: float)" in source.read(CODE.ref).text
    assert source.read(OTHER.ref) == OTHER


def test_queries_are_the_same_each_time_and_spread_over_the_documents() -> None:
    documents = [
        document(f"{n}.md", "# T\n\n" + "".join(f"## Part {n} {k}\n\n{BODY}\n" for k in range(5))) for n in range(9)
    ]
    pairs = golden_pairs(documents)
    assert pairs == golden_pairs(documents[::-1])
    assert len({pair.document for pair in pairs[:9]}) == 9
    assert [split_place(pair.document) for pair in pairs[:9]] == sorted(split_place(one.ref.id) for one in documents)


def test_they_are_marked_as_synthetic() -> None:
    judgments = Bootstrap(golden_pairs([PUMP, STORM])).judgments
    assert judgments.made == "synthetic queries, made from the documents: 3 headings, 1 link"
    assert [query.spans != () for query in judgments.queries].count(False) == 1


def test_titles_of_documents_ask_too_where_they_are_wanted() -> None:
    body = "Grease the bearing every 400 hours, with the pump at rest, and write the day into the book beside it."
    page = Document(DocumentRef(DocumentId("s:a.md"), "s", "a.md"), f"# The pump\n\n{body}\n", "markdown")
    text = Document(DocumentRef(DocumentId("s:b.txt"), "s", "b.txt"), f"Care of\nbearings\n\n{body} Twice.", "text")
    assert golden_pairs([page, text]) == []
    pairs = {pair.query: pair for pair in golden_pairs([page, text], titles=True)}
    assert {query: pair.passage(page if pair.kind == "heading" else text) for query, pair in pairs.items()} == {
        "The pump": body,
        "Care of bearings": f"{body} Twice.",
    }


def test_a_passage_is_without_its_query() -> None:
    told = '    """Tell whether the bearing wants grease again."""'
    code = f"def due(hours):\n{told}\n    return hours > 400 and LIMIT < hours\n"
    document = Document(DocumentRef(DocumentId("s:a.py"), "s", "a.py"), code, "code", ".py")
    (pair,) = golden_pairs([document])
    assert pair.passage(document) == "def due(hours):\nreturn hours > 400 and LIMIT < hours"
