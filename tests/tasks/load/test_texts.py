"""Formats that are text: all that a reader sees is in, in order, and nothing else; numbers stay as they are written."""

import csv
import io
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.load.parse import latex_tables
from tasks.load.parse.asciidoc import parse_asciidoc, plain_asciidoc
from tasks.load.parse.data import parse_json, parse_json_lines
from tasks.load.parse.delimited import parse_delimited
from tasks.load.parse.latex import parse_latex
from tasks.load.parse.markdown import parse_markdown
from tasks.load.parse.mdx import parse_mdx
from tasks.load.parse.notebook import parse_notebook
from tasks.load.parse.open import parse
from tasks.load.parse.org import parse_org, plain_org
from tasks.load.parse.rst import parse_rst
from tasks.load.parse.subtitles import parse_subtitles
from tasks.load.parse.table import row_texts
from tasks.load.parse.text import Parsed
from tasks.load.parse.xml import parse_xml
from tasks.records import DocumentId, DocumentRef
from tests.tasks.load.bad_inputs import docx, pdf
from tests.tasks.load.pictures import picture

WORDS = st.text(st.sampled_from("abcdefgäß日"), min_size=1, max_size=8)


def held(parsed: Parsed, words: tuple[str, ...]) -> None:
    """All the words, in order, and none that is secret."""
    place = 0
    for word in words:
        assert word in parsed.text[place:], f"{word!r} is not behind {parsed.text[:place]!r}"
        place = parsed.text.index(word, place) + len(word)
    assert "secret" not in parsed.text


ADOC = """= Manual for {product}
:product: Kettle
:toc:

// secret
////
== secret
////
[[secret]]
== Install `x` *now*

Text of {product} {undefined}.
ifdef::secret[]
shown
endif::[]
ifndef::secret[shown here]

----
== no heading
// shown too
----

Old title
---------

include::secret.adoc[]

[quote, An Author]
.Block title
====
Example words
====
"""


def test_asciidoc() -> None:
    parsed = parse_asciidoc(ADOC)
    held(parsed, ("= Manual for Kettle", "== Install", "Text of Kettle {undefined}", "shown", "shown here",
                  "== no heading", "// shown too", "Old title",
                  "An Author", ".Block title", "Example words"))  # fmt: skip
    assert [(one.level, one.title) for one in parsed.headings or ()] == [
        (1, "Manual for Kettle"),
        (2, "Install x now"),
        (2, "Old title"),
    ]
    assert (parsed.title, parsed.extent.line) == ("Manual for Kettle", 0)
    assert parsed.remarks == ("other files are shown in it that are not in its text: secret.adoc",)
    assert parse_asciidoc("= A\n\n// x\n\nb\n").extent.line == 1


@pytest.mark.parametrize(
    ("marked", "title"),
    [
        ("Install `x` *now* _so_", "Install x now so"),
        ("See <<anchor,the page>> and xref:a.adoc[B] and link:http://x[C^]", "See the page and B and C"),
        ("[[id]]Title", "Title"),
        ("snake_case_name and 2*3*4", "snake_case_name and 2*3*4"),
    ],
)
def test_titles_of_asciidoc_are_plain(marked: str, title: str) -> None:
    assert plain_asciidoc(marked) == title


ORG = """#+TITLE: Pump manual
#+OPTIONS: secret
* TODO [#A] Install *now* [1/2] :tag:x:
:PROPERTIES:
:ID: secret
:END:
SCHEDULED: <2024-01-01 secret>
text [[http://x][link]]
# secret
#+begin_src sh
* no heading
# shown
#+end_src
#+BEGIN_COMMENT
secret
#+END_COMMENT
** COMMENT secret
secret
*** secret
** [[a][Two]]
* Out :noexport:
secret
* Three
:Note:
in a drawer that has no end
#+include: "secret.org"
last
"""


def test_org() -> None:
    parsed = parse_org(ORG)
    held(
        parsed,
        (
            "Pump manual",
            "Install",
            "text",
            "link",
            "* no heading",
            "# shown",
            "Two",
            "Three",
            ":Note:",
            "in a drawer",
            "last",
        ),
    )
    assert [(one.level, one.title) for one in parsed.headings or ()] == [(1, "Install now"), (2, "Two"), (1, "Three")]
    assert (parsed.title, len(parsed.text), parsed.extent.line) == ("Pump manual", len(ORG), 1)
    assert parsed.remarks == ("other files are shown in it that are not in its text: secret.org",)
    assert plain_org("DONE /a/ b/c =d= [[x]]") == "a b/c d x"


LATEX = r"""\documentclass[12pt]{secret}
\usepackage[utf8]{inputenc} % secret
\title{The \textbf{Pump} --- 50\% off}
\author{A. Writer}
\newcommand{\foo}[2]{secret #1}
\begin{document}
\maketitle
% secret
\section[short]{Caf\'e \& M\"{u}ller \texttt{x}}\label{sec:secret}
Text with \emph{emphasis}, $10^6$ units, \href{http://secret}{a link}.\footnote{A \textit{note}.}
\begin{itemize}\item One \item Two\end{itemize}
\begin{tabular}{ll} Open & B \\ c & d \end{tabular}
\begin{verbatim}
% shown \x
\end{verbatim}
\subsection*{Deep}
\begin{equation}\label{secret} E = mc^2 \end{equation}
\input{parts/one}\includegraphics[width=2cm]{secret.png}
\begin{comment} secret \end{comment}
\verb|a_b| stra\ss{}e {\small last}
\end{document}
secret"""


def test_latex() -> None:
    parsed = parse_latex("a.tex", LATEX.encode())
    held(parsed, ("# The Pump — 50% off", "A. Writer", "## Café & Müller x", "Text with emphasis, $10^6$ units, a link",
                  "(A note.)", "- One", "- Two", "| Open | B |\n| --- | --- |\n| c | d |", "% shown \\x",
                  "### Deep", "E = mc^2", "`a_b` straße", "last"))  # fmt: skip
    assert parsed.title == "The Pump — 50% off"
    assert parsed.remarks == (
        "other files are shown in it that are not in its text: parts/one",
        "1 picture in it is not read",
    )


SATZ = "Satz (Euler). a\n\nProof (Short proof). b"


@pytest.mark.parametrize(
    ("marked", "shown"),
    [
        (r"10\textsuperscript{6} of 1\textsuperscript{st} m\textsuperscript{2}", "10^6 of 1st m^2"),
        (r"H\textsubscript{2}O 101\textsubscript{2}", "H2O 101_2"),
        (r"\SI{5e6}{\kilo\gram} \qty{9.81}{\metre\per\second\squared}", "5e6 kg 9.81 m/s^2"),
        (r"\SIrange{10}{20}{\bar} \numrange{1}{3} \nicefrac{1}{2}", "10 to 20 bar 1 to 3 1/2"),
        (r"\newcommand{\kettle}{Kettle}\kettle{} \def\maker{Acme} by \maker.", "Kettle  by Acme."),
        (r"\newcommand*\hl[2][red]{#2 in #1}\hl{a}, \hl[blue]{b}", "a in red, b in blue"),
        (r"\newcommand{\todo}[1]{}x\todo{secret}y", "xy"),
        (
            "\\begin{tabular}{l|r}\\toprule Name &\n Max \\\\[2pt] \\cmidrule(lr){1-2} P1 & 1|2 \\\\\n"
            r"\multicolumn{2}{c}{both} \\ a & \begin{tabular}{l} b \\ c \end{tabular} \\* \end{tabular}",
            "| Name | Max |\n| --- | --- |\n| P1 | 1\\|2 |\n| both |  |\n| a | b, c |",
        ),
        (r"\begin{tabular}{c}one \\ two\end{tabular} a \\ b & c", "one\ntwo\n\na \nb  |  c"),
        (
            r"\rule{1cm}{2pt}\color{red}a \mintinline{py}{z} \lstinline|x| \begin{tikzpicture}secret\end{tikzpicture}",
            "a z `x`",
        ),
        (
            r"\begin{tabular}{l|l} a & \begin{tabular}{l} b & \begin{tabular}{l} c \\ d \end{tabular} e\end{tabular}"
            r" f \\ g & h\end{tabular}",
            "| a | b, c, d e f |\n| --- | --- |\n| g | h |",
        ),
        (r"\title{A\thanks{By B}}\author{C \and D\thanks{E}}\begin{document}f", "# A\n\nC, D\n\nBy B\n\nE\n\nf"),
        (r"\newtheorem{satz}{Satz}\begin{satz}[Euler]a\end{satz}\begin{proof}[Short proof]b\end{proof}", SATZ),
        (r"\begin{lemma}a\end{lemma}\begin{figure}[ht]b\end{figure}", "Lemma. a\n\nb"),
        (r"a \iffalse secret \fi b \iffalse secret \else c \fi d", "a b c  d"),
    ],
)
def test_commands_of_latex_are_what_they_show(marked: str, shown: str) -> None:
    assert parse_latex("a.tex", marked.encode()).text.strip() == shown


def cell(kind: str, source: object, **rest: object) -> dict[str, object]:
    return {"cell_type": kind, "source": source, **rest}


OUTPUTS: list[dict[str, Any]] = [
    {"output_type": "stream", "text": ["out\n", "\x1b[31mred\x1b[0m"]},
    {"output_type": "display_data", "data": {"image/png": "c2VjcmV0", "text/plain": "<Figure secret>"}},
    {"output_type": "execute_result", "data": {"text/html": "<b>secret</b>", "text/plain": "   a\n0  1"}},
    {"output_type": "display_data", "data": {"text/html": "<table><tr><td>cell</td></tr></table>"}},
    {"output_type": "display_data", "data": {"text/markdown": "**bold words**", "text/plain": "<secret>"}},
    {"output_type": "display_data", "data": {"application/x-chart": {"secret": 1}}},
    {"output_type": "error", "ename": "OddError", "evalue": "bad", "traceback": ["secret"]},
]


def test_a_notebook() -> None:
    cells = [
        cell("markdown", ["# Alpha\n", "words"]),
        cell("code", "x = '```'\n```", outputs=OUTPUTS),
        cell("raw", "raw words"),
        cell("markdown", "![p](attachment:a.png)", attachments={"a.png": {"image/png": "secret"}}),
    ]
    book = {"nbformat": 4, "metadata": {"language_info": {"name": "julia"}, "secret": 1}, "cells": cells}
    parsed = parse_notebook("a.ipynb", json.dumps(book).encode())
    held(parsed, ("# Alpha\nwords", "````julia\nx = '```'\n```\n````", "```text\nout\nred\n```", "   a\n0  1", "cell",
                  "**bold words**", "OddError: bad", "raw words"))  # fmt: skip
    assert (parsed.title, parsed.remarks) == (
        "Alpha",
        ("2 pictures in it are not read", "outputs are not read: 1 of application/x-chart"),
    )


def test_a_notebook_of_the_earlier_format() -> None:
    old = {
        "cell_type": "code",
        "input": ["1 + 1"],
        "language": "python",
        "outputs": [{"output_type": "pyout", "text": "2"}],
    }
    book = {"worksheets": [{"cells": [{"cell_type": "heading", "level": 2, "source": "Old"}, old]}], "metadata": {}}
    parsed = parse_notebook("a.ipynb", json.dumps(book).encode())
    assert parsed.text == "## Old\n\n```python\n1 + 1\n```\n\n```text\n2\n```\n"
    assert parsed.title == "Old"


def test_a_long_first_row_is_not_said_again_in_each_row() -> None:
    made = parse_delimited("a.csv", ("x" * 20_000 + ",y\n" + "a,b\n" * 5_000).encode()).text
    assert made.startswith("A: " + "x" * 20_000)
    assert len(made) < 100_000
    texts = row_texts([["x" * 20_000, "y"], *[["a", "b" * 700]] * 100])
    assert (texts[0][:6], sum(map(len, texts)) < 100_000) == ("A: xxx", True)


@given(
    st.lists(st.lists(st.sampled_from(["1.50", "007", "a|b", "x, y", 'say "hi"', "2024-01-02", "ä", "1;5"]),
                      min_size=3, max_size=3), min_size=1, max_size=9),
    st.sampled_from([",", ";", "\t"]),
)  # fmt: skip
def test_a_table_keeps_every_cell_as_it_is_written(rows: list[list[str]], delimiter: str) -> None:
    packed = io.StringIO(newline="")
    csv.writer(packed, delimiter=delimiter).writerows([["Pump", "Bar", "Rule"], *rows])
    parsed = parse_delimited("a.csv", packed.getvalue().encode())
    lines = parsed.text.splitlines()
    assert lines[:2] == ["| Pump | Bar | Rule |", "| --- | --- | --- |"]
    cells = [[one.replace("\\|", "|") for one in re.split(r"(?<!\\)\| ?", line)[1:-1]] for line in lines[2:]]
    assert [[one.strip() for one in row] for row in cells] == rows
    assert [place.value for place in parsed.places] == [f"A{number}:C{number}" for number in range(1, len(rows) + 2)]
    assert all(parsed.text[place.start] == "|" for place in parsed.places)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('size,use\n"12,inch\n14,foot\n', '| size | use |\n| --- | --- |\n| "12 | inch |\n| 14 | foot |\n'),
        ("sep=;\na;b\n1,5;2\n", "| a | b |\n| --- | --- |\n| 1,5 | 2 |\n"),
        ("Report 2024\n\nname,qty\nx,1\n", "Report 2024\n\n| name | qty |\n| --- | --- |\n| x | 1 |\n"),
        ("1,2\n3,4\n", "| A | B |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n"),
        ("a,b\n1\n", "| a | b |\n| --- | --- |\n| 1 |  |\n"),
        ("a,b\n1,2,3\n", "| a | b | C |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n"),
        ('a,b\n"two\nlines",2\n', "a: two\nlines\nb: 2\n\n"),
        (f"a,b\n{'word ' * 20},2\n", f"a: {'word ' * 20}".rstrip() + "\nb: 2\n\n"),
        ("\n\n", ""),
    ],
)
def test_tables_of_every_shape(text: str, shown: str) -> None:
    assert parse_delimited("a.csv", text.encode()).text == shown


DATA = st.recursive(
    st.one_of(WORDS, st.integers(), st.booleans(), st.none(), st.sampled_from(["two\nlines"])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=20,
)


def leaves(value: object) -> list[str]:
    """Every value, in order."""
    if isinstance(value, dict):
        return [leaf for key, one in value.items() for leaf in leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in leaves(one)]
    return [value if isinstance(value, str) else json.dumps(value)]


@given(DATA)
def test_every_value_of_json_is_in(value: object) -> None:
    content = json.dumps(value, ensure_ascii=False)
    held(parse_json("a.json", content.encode()), tuple(leaves(value)))
    lines = parse_json_lines("a.jsonl", f"{content}\n\n{content}\n".encode())
    held(lines, (*leaves(value), *leaves(value)))


def test_json_keeps_numbers_and_names_that_stand_twice() -> None:
    content = (
        b'{"title": "T", "a": {"n": [1.10, 12345678901234567890123, 1e400, -0.0]}, "u": [{"k": 1}, {"k": 2}], "u": 3}'
    )
    parsed = parse_json("a.json", content)
    assert parsed.text == (
        "title: T\na.n: 1.10, 12345678901234567890123, 1e400, -0.0\n\nu[0].k: 1\n\nu[1].k: 2\nu: 3\n"
    )
    assert parsed.title == "T"


def test_what_is_no_json_is_kept_and_told() -> None:
    text = '{\n  // a comment\n  "a": 1,\n}\n'
    parsed = parse_json("tsconfig.json", text.encode())
    assert (parsed.text, parsed.extent.line) == (text, 1)
    assert parsed.remarks[0].startswith("it is no valid JSON (")
    lines = parse_json_lines("a.jsonl", b'{"a": 1}\nno\n')
    assert (lines.text, lines.remarks) == ("a: 1\n\nno\n", ("1 line is no valid JSON, the first is line 2",))


def test_xml_of_data_and_of_prose() -> None:
    data = '<?xml version="1.0" encoding="windows-1250"?><pumps><pump id="1"><name>Łódź</name><max>70.0</max></pump>'
    parsed = parse(DocumentRef(DocumentId("s:a.xml"), "s", "a.xml"), f"{data}<pump/></pumps>".encode("cp1250"))
    assert parsed.text == "pumps.pump@id: 1\npumps.pump.name: Łódź\npumps.pump.max: 70.0\n"
    assert parsed.remarks == ()
    prose = (
        '<!DOCTYPE article PUBLIC "-//OASIS//DTD DocBook V4.5//EN" "secret.dtd"><!-- secret --><article>'
        "<title>Top</title><section><title>One</title><para>x<emphasis>y</emphasis>z &mdash; a</para>"
        "<programlisting>  code</programlisting><itemizedlist><listitem><para>item</para></listitem></itemizedlist>"
        "</section></article>"
    )
    parsed_prose = parse_xml("a.xml", prose.encode())
    assert parsed_prose.text == "# Top\n\n## One\n\nxyz — a\n\n```\n  code\n```\n\nitem\n"
    assert parsed_prose.title == "Top"


@pytest.mark.parametrize(
    "made",
    [
        "<table><title>Cap</title><tgroup><thead><row><entry>Pump</entry><entry>Bar</entry></row></thead><tbody><row>"
        "<entry><para>P1</para><para>big</para></entry><entry>10<sup>6</sup></entry></row></tbody></tgroup></table>",
        "<table><caption>Cap</caption><tr><th>Pump</th><th>Bar</th></tr><tr><td>P1 big</td>"
        "<td>10<sup>6</sup></td></tr></table>",
    ],
)
def test_tables_of_xml_keep_their_rows(made: str) -> None:
    prose = f"<article><front><article-title>Top</article-title></front><sec><p>Text</p>{made}</sec></article>"
    parsed = parse_xml("a.xml", prose.encode())
    assert parsed.text.endswith("Text\n\nCap\n\n| Pump | Bar |\n| --- | --- |\n| P1 big | 10^6 |\n")
    assert parsed.title == "Top"


def test_raised_and_lowered_numbers_of_xml_stay_apart() -> None:
    prose = (
        '<p>10<sup>6</sup>, 10<superscript>7</superscript>, 10<hi rend="sup">8</hi>, '
        '1<hi rend="superscript">st</hi>, H<sub>2</sub>O, 101<subscript>2</subscript></p>'
    )
    assert parse_xml("a.xml", prose.encode()).text == "10^6, 10^7, 10^8, 1st, H2O, 101_2\n"


def test_html_that_a_feed_holds_as_text_is_read_as_html() -> None:
    page = "<![CDATA[<p>One <b>two</b><p style='display:none'>secret<ul><li>three</ul>]]>"
    feed = f"<item><title>T</title><description>{page}</description></item><item><content>a &lt; b</content></item>"
    assert parse_xml("a.xml", f"<rss>{feed}</rss>".encode()).text == (
        "rss.item.title: T\nrss.item.description:\nOne two\n\n- three\n\nrss.item.content: a < b\n"
    )


def test_subtitles_are_words_at_their_times() -> None:
    vtt = (
        "WEBVTT - secret\n\nNOTE secret\n\nSTYLE\n::cue {secret}\n\nsecret-id\n00:01.000 --> 00:02.000 align:start\n"
        "<v Bob>Hello <i>you</i> &amp; <00:01.500><c>me</c>\n\n00:02.000 --> 00:04.000\nBob: Hello you & me\nmore\n\n"
        "1:00:09.000 --> 1:00:10.500\nthere\n"
    )
    parsed = parse_subtitles(vtt)
    assert parsed.text == "Bob: Hello you & me\nmore\n\nthere"
    assert [(parsed.text[one.start : one.start + 3], one.value) for one in parsed.places] == [
        ("Bob", "00:00:01.000 --> 00:00:02.000"),
        ("mor", "00:00:02.000 --> 00:00:04.000"),
        ("the", "01:00:09.000 --> 01:00:10.500"),
    ]
    first = "1\n00:00:01,000 --> 00:00:02,000\n{\\an8}One\ntwo\n"
    assert (
        parse_subtitles(f"{first}\n2\n00:00:02,500 --> 00:00:03,000\n<font color=x>12</font>\n").text == "One\ntwo\n12"
    )
    blank = "1\n00:00:01,000 --> 00:00:02,000\nOne\n\ntwo\n\n2\n00:00:02,000 --> 00:00:03,000\nsee\n\n7\n"
    assert parse_subtitles(blank).text == "One\ntwo\nsee\n7"
    assert parse_subtitles("Words, and no times.\n").text == "Words, and no times.\n"


@pytest.mark.parametrize(
    ("content", "form", "text"),
    [
        (b"<!DOCTYPE html><title>T</title><p>words</p>", "markdown", "words"),
        (b"\xef\xbb\xbf\n<!-- x --><html><body>words</body></html>", "markdown", "words"),
        (b"<?xml version='1.0'?><a><b>words</b></a>", "markdown", "a.b: words"),
        (b'{"cells": [{"cell_type": "raw", "source": "words"}], "nbformat": 4}', "markdown", "words"),
        (pdf(), "text", "A page of text."),
        (docx(), "markdown", "A page of text."),
        (picture(caption="A page of text."), "text", "A page of text."),
        (b"# words\n", "text", "# words"),
        (b'{"a": 1}', "text", '{"a": 1}'),
    ],
)
def test_a_file_without_a_suffix_is_what_its_content_says(content: bytes, form: str, text: str) -> None:
    document = parse(DocumentRef(DocumentId("s:d/README"), "s", "d/README"), content)
    assert document.format == form
    assert text in document.text


SHAPES: dict[str, tuple[Callable[[str], Parsed], Callable[[int], str]]] = {
    "colons": (parse_rst, lambda n: ":a" * (n // 2) + "\n====\n"),
    "ticks": (parse_rst, lambda n: "`a" * (n // 2) + "\n====\n"),
    "comments": (parse_rst, lambda n: ".. a\n\n" * (n // 6)),
    "substitutions": (parse_rst, lambda n: ".. |a| replace:: b\n" + "|a" * (n // 2)),
    "listings": (parse_rst, lambda n: "::\n\n a\n\n" * (n // 9)),
    "blank lines": (parse_rst, lambda n: "a::\n" + "\n" * n),
    "directives": (parse_rst, lambda n: ".. a::\n" * (n // 7)),
    "names": (parse_asciidoc, lambda n: ":a: b\n" + "{a" * (n // 2)),
    "marks": (parse_asciidoc, lambda n: "= " + "*a" * (n // 2)),
    "comments of blocks": (parse_asciidoc, lambda n: "////\n" * (n // 5)),
    "stars": (parse_org, lambda n: "* " * (n // 2)),
    "drawers": (parse_org, lambda n: ":a:\n" * (n // 4)),
    "links": (parse_org, lambda n: "* " + "[[" * (n // 2)),
    "times": (parse_subtitles, lambda n: "0:00:01,0 --> 0:00:02,0\n" * (n // 24)),
    "elements": (parse_subtitles, lambda n: "0:00:01,0 --> 0:00:02,0\n" + "<a" * (n // 2)),
    "comments of Markdown": (parse_markdown, lambda n: "a <!-- `" * (n // 8)),
    "comments in one line": (parse_markdown, lambda n: "a <!-- b --> " * (n // 13)),
    "comments with one end": (parse_markdown, lambda n: "a <!-- " * (n // 7) + "\n\nb -->"),
    "comments after marks": (parse_markdown, lambda n: "- " * (n // 4) + "<!-- b --> " * (n // 22)),
    "comments after ticks": (parse_markdown, lambda n: "a `b` <!-- c\n" * (n // 13)),
    "scripts that never end": (parse_markdown, lambda n: "<script>" * (n // 8)),
    "styles in scripts": (parse_markdown, lambda n: "<div>\n" + "<script><style></script>" * (n // 24)),
    "comments in a title of HTML": (parse_markdown, lambda n: "<h1>" + "<!--" * (n // 4) + "</h1>"),
    "rules": (parse_markdown, lambda n: "---\n" * (n // 4)),
    "indented comments": (parse_markdown, lambda n: "    <!-- a -->\n" * (n // 15)),
    "programs": (parse_mdx, lambda n: "export const a = {\n\n" * (n // 20)),
    "open formulas": (lambda text: parse_latex("a", text.encode()), lambda n: r"\(" * (n // 2)),
    "own commands": (
        lambda text: parse_latex("a", text.encode()),
        lambda n: (
            r"\newcommand{\aa}{\bb\bb\bb}\newcommand{\bb}{\cc\cc\cc}\newcommand{\cc}{x}" + r"\aa\iffalse" * (n // 12)
        ),
    ),
    "open elements": (parse_mdx, lambda n: '<a b="' * (n // 6)),
    "open braces": (parse_mdx, lambda n: "<a {" * (n // 4)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_time_is_linear_in_the_length(shape: str) -> None:
    parser, make = SHAPES[shape]

    def seconds(text: str) -> float:
        times: list[float] = []
        for _ in range(3):
            started = time.process_time()
            parser(text)
            times.append(time.process_time() - started)
        return min(times)

    assert seconds(make(64_000)) < 0.05 + 32 * seconds(make(8_000))  # 8 times the text; the square would be 64 times


GRIDS: dict[str, Callable[[int], str]] = {
    "in one another": lambda n: r"\begin{tabular}{l} a & " * (n // 40) + r"\end{tabular}" * (n // 40),
    "in one another, with rows": lambda n: r"\begin{tabular}{l} a \\ b & " * (n // 45) + r"\end{tabular}" * (n // 45),
    "never closed": lambda n: r"\begin{tabular}{l} a & b \\ " * (n // 30),
    "a long row above many": lambda n: r"\begin{tabular}{l}" + "a & " * (n // 8) + r"\\ a " * (n // 10) + END_OF_GRID,
}
END_OF_GRID = r"\end{tabular}"


@pytest.mark.parametrize("shape", GRIDS)
def test_the_work_for_tables_of_latex_is_linear_in_their_length(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0

    def counted(read: Callable[[str], str]) -> Callable[[str], str]:
        def count(text: str) -> str:
            nonlocal looked_at
            looked_at += len(text)
            made = read(text)
            looked_at += len(made)
            return made

        return count

    for name in ("_line", "_table"):
        monkeypatch.setattr(latex_tables, name, counted(getattr(latex_tables, name)))
    text = GRIDS[shape](20_000)
    parse_latex("a", text.encode())
    assert looked_at < 4 * len(text)
