"""Titles of reStructuredText are those that docutils sees, and what no reader sees is no text."""

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from tasks.load.parse.rst import parse_rst, plain_rst

SETTINGS = {"report_level": 5, "halt_level": 6, "file_insertion_enabled": False, "doctitle_xform": False}


def by_docutils(text: str) -> list[tuple[int, str]]:
    tree = publish_doctree(text, settings_overrides={**SETTINGS, "warning_stream": False})
    return [(depth(section), " ".join(section[0].astext().split())) for section in tree.findall(nodes.section)]


def depth(section: nodes.Element) -> int:
    return 1 + depth(section.parent) if isinstance(section.parent, nodes.section) else 1


def by_us(text: str) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in parse_rst(text).headings or ()]


TEXTS = {
    "two letters": "Go\n==\n\nUI\n--\n\nx\n",
    "one letter": "C\n=\n\nx\n\nD\n=\n\nx\n",
    "short underline": "Under short\n----\n\nx\n",
    "too short underline": "Under short\n---\n\nx\n",
    "overline": "=====\nTitle\n=====\n\nTitle\n=====\n\nx\n",
    "indented overline": "=========\n  Title\n=========\n\nx\n",
    "overline that differs": "====\nTitle\n=====\n\nx\n",
    "Chinese": "标题很长的中文\n======\n\nx\n\n标题\n====\n\nx\n",
    "no blank lines": "One\n===\nTwo\n---\nx\n",
    "in a paragraph": "words\nTitle\n=====\n\nx\n",
    "simple table": "One\n===\n\n=====  =====\nA      B\n=====  =====\n1      2\n=====  =====\n\nTwo\n===\n\nx\n",
    "grid table": "+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+\n\nTwo\n===\n\nx\n",
    "literal block": "Text::\n\n    Title\n    =====\n\n  # x\n\nTwo\n===\n\nx\n",
    "code": ".. code-block:: python\n\n   Title\n   =====\n\nTwo\n===\n\nx\n",
    "comment": "..\n   Title\n   =====\n\nTwo\n===\n\nx\n",
    "transition": "a\n\n----\n\nb\n\nTwo\n===\n\nx\n",
    "after a directive": ".. note:: x\n\nTwo\n===\n\nx\n",
    "after a target": ".. _here:\n\nTwo\n===\n\nx\n",
    "marks": "*a* and **b** and ``c_d``\n-------------------------\n\nx\n",
    "every mark": "".join(f"T{mark}\n{mark * 3}\n\nx\n\n" for mark in "=-~^"),
    "quote": "    Title\n    =====\n\nx\n",
    "list": "- a\n- b\n\nTwo\n===\n\nx\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_titles_are_those_of_docutils(name: str) -> None:
    assert by_us(TEXTS[name]) == by_docutils(TEXTS[name])


@pytest.mark.parametrize(
    ("marked", "title"),
    [
        ("Section with ``code`` and :ref:`role <top>`", "Section with code and role"),
        (":class:`~foo.Bar` and :func:`open` and :doc:`!x`", "Bar and open and x"),
        ("`Python <https://python.org>`_ and link_ and `two words`__", "Python and link and two words"),
        ("**Bold** *so* |release|", "Bold so release"),
        (r"10\ :sup:`6` and snake_case_", "10^6 and snake_case"),
        ("CMAKE_<LANG>_ID and a*b*c", "CMAKE_<LANG>_ID and a*b*c"),
        (r"\*stars\*", "*stars*"),
    ],
)
def test_a_title_is_clean_text(marked: str, title: str) -> None:
    assert plain_rst(marked) == title


TEXT = """.. secret1: comment
.. _secret2:
.. _Secret3: https://example.invalid/secret4
__ https://example.invalid/secret5
:orphan:

Title
=====

.. index:: secret6
.. toctree::
   :maxdepth: 2

   secret7
   Usage guide <secret13>

.. toctree::
   :hidden:

   secret14 <secret15>

.. note:: Keep the lid shut.

   .. secret8

   Really.

.. raw:: html

   <p class="secret11">Raised <b>words</b></p>

.. raw:: html

   <script>secret12</script>

.. raw:: latex

   secret13

.. list-table:: Limits
   :header-rows: 1
   :name: secret9

   * - Pump

.. csv-table:: Sizes
   :header: "Valve", "Bar"
   :widths: 1, 2

   "V1", 70

.. image:: secret10.png
   :alt: The pump

.. include:: ../other.txt
.. literalinclude:: /code.py
   :lines: 1-2

.. [1] A footnote.

..

   A quote.

.. code-block:: rst
   :caption: Listing

   .. shown comment
   :field: shown

The |version| is new. End::

   .. shown too

.. |version| replace:: release 4.2
"""


def test_what_a_reader_sees_is_in_and_nothing_else() -> None:
    parsed = parse_rst(TEXT)
    words = ("Title", "Usage guide", "Keep the lid shut", "Really", "Raised", "words",
             "Limits", "Pump", "Sizes", '"Valve", "Bar"', '"V1", 70',
             "The pump", "A footnote", "A quote", "Listing",
             ".. shown comment", ":field: shown", "The release 4.2 is new", ".. shown too")  # fmt: skip
    places = [parsed.text.find(word) for word in words]
    assert places == sorted(places)
    assert -1 not in places
    assert "secret" not in parsed.text.lower().replace("secret10.png", "")
    assert parsed.title == "Title"
    assert parsed.remarks == ("other files are shown in it that are not in its text: ../other.txt, /code.py",)
    assert parsed.extent.line == 0, "a substitution moves what follows"
    assert [parsed.text[heading.start : heading.end] for heading in parsed.headings or ()] == ["Title\n====="]


def test_what_is_left_stands_where_it_stood() -> None:
    text = TEXT.replace("|", "")
    parsed = parse_rst(text)
    assert len(parsed.text) == len(text)
    assert parsed.text.count("\n") == text.count("\n")
    assert parsed.extent.line == 1
    assert all(new in (old, " ") for old, new in zip(text, parsed.text, strict=True))
