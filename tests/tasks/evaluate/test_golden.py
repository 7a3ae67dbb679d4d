"""What a corpus asks of itself, and what answers it."""

import pytest

from tasks.evaluate.golden import Pair, mine
from tasks.records import Document, DocumentId, DocumentRef, Format

BODY = "Grease the bearing every 400 hours, with the pump at rest, and write the day into the book beside it."
FUNCTION = '''class Pump:
    def grease(self, hours):
        """Tell whether the bearing is due. Counts from the last time.

        More words.
        """
        été = hours > 400
        return été and self.running and self.bearing.hours(since="the last time") > hours
'''
GO = """// Due tells whether the bearing wants grease. It counts.
// A second line.
func Due(hours int) bool {
\treturn hours > 400 && running && bearing.Hours() > hours && aSecondConditionThatIsLong(hours)
}
"""


def document(path: str, text: str, form: Format = "markdown", language: str = "") -> Document:
    return Document(DocumentRef(DocumentId(f"s:{path}"), "s", path), text, form, language)


def told(*documents: Document) -> list[tuple[str, str, str, str]]:
    """Kind, question, document and passage."""
    texts = {one.ref.id: one.text for one in documents}
    return [
        (pair.kind, pair.query, pair.span.document, pair.passage(texts[pair.span.document])) for pair in mine(documents)
    ]


def test_headings_ask_for_what_stands_below_them() -> None:
    page = document(
        "a.md", f"# The pump house\n\n{BODY}\n\n## Before a storm\n\n{BODY}\n\n### Gates\n\nx\n\n## See also\n"
    )
    sections = f"{BODY}\n\n### Gates\n\nx"
    whole = f"{BODY}\n\n## Before a storm\n\n{sections}\n\n## See also"
    assert told(page) == [
        ("title", "The pump house", "s:a.md", whole),
        ("heading", "Before a storm", "s:a.md", sections),
    ]


def test_the_first_line_of_a_plain_text_is_its_title() -> None:
    assert told(document("a.txt", f"Care of\nbearings\n\n{BODY}", "text")) == [
        ("title", "Care of bearings", "s:a.txt", BODY)
    ]
    assert told(document("a.txt", f"{BODY}\n\nA short text.", "text")) == []


def test_a_docstring_asks_for_its_function_without_itself() -> None:
    ((kind, query, _, passage),) = told(document("a.py", FUNCTION, "code", ".py"))
    assert (kind, query) == ("docstring", "Tell whether the bearing is due")
    assert passage.startswith("def grease(self, hours):\n")
    assert passage.endswith("> hours")
    assert "été = hours" in passage
    assert "bearing is due" not in passage


@pytest.mark.parametrize(("path", "text"), [("a.go", GO), ("old.py", f"print 'no Python of today'\n\n{GO}")])
def test_the_comment_above_a_definition_is_its_docstring(path: str, text: str) -> None:
    ((_, query, _, passage),) = told(document(path, text, "code", f".{path.rpartition('.')[2]}"))
    assert query == "Due tells whether the bearing wants grease"
    assert passage.startswith("func Due")
    assert "second line" not in passage


@pytest.mark.parametrize(
    ("link", "passage"),
    [
        ("b.md", f"# B\n\n{BODY}\n\n## Oil change\n\n{BODY} Again."),
        ("../docs/b", f"# B\n\n{BODY}\n\n## Oil change\n\n{BODY} Again."),
        ("b.md#oil-change", f"{BODY} Again."),
        ("/docs/b.md#oil%20change", f"{BODY} Again."),
    ],
)
def test_the_words_of_a_link_ask_for_its_target(link: str, passage: str) -> None:
    target = document("docs/b.md", f"# B\n\n{BODY}\n\n## Oil change\n\n{BODY} Again.")
    pairs = told(document("docs/a.md", f"See [how the *oil* is changed]({link})."), target)
    assert ("link", "how the oil is changed", "s:docs/b.md", passage) in pairs


@pytest.mark.parametrize(
    "link",
    [
        "[here](b.md)", "[read more](b.md)", "[how it is done](https://a.test/b.md)", "[how it is done](c.md)",
        "![how it is done](b.md)", "[how it is done](b.md#nowhere)", "[how it is done](a.md)", "[how it is done]()",
    ],
)  # fmt: skip
def test_a_link_that_says_nothing_or_leads_nowhere_is_no_question(link: str) -> None:
    assert told(document("a.md", f"Text {link}."), document("b.md", BODY)) == []


def test_a_question_that_two_places_answer_is_none() -> None:
    pages = [document("a.md", f"# First steps!\n\n{BODY}"), document("b.md", f"# first  STEPS\n\n{BODY} More.")]
    assert told(*pages) == []
    assert len(told(pages[0])) == 1


@pytest.mark.parametrize("title", ["Introduction", "Usage", "2.1", "See also the notes", "1999 2000", "a" * 301 + " b"])
def test_a_title_that_says_nothing_is_no_question(title: str) -> None:
    assert [pair.query for pair in mine([document("a.md", f"# {title}\n\n{BODY}")])] in ([], ["See also the notes"])


def test_a_script_without_spaces_asks_too() -> None:
    assert [pair.kind for pair in mine([document("a.md", f"# 軸受の注油方法\n\n{BODY}")])] == ["title"]


def test_hostile_texts_take_linear_time() -> None:
    texts = ["[" * 80_000, "[a](" * 20_000, "[" + "a b" * 30_000, "// " * 40_000, "(" * 40_000, "# x\n" * 15_000]
    for text in texts:
        for form, language in (("markdown", ""), ("code", ".py"), ("code", ".go"), ("text", "")):
            assert all(isinstance(pair, Pair) for pair in mine([document("a", text, form, language)]))
