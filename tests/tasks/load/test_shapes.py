"""However a document is made of its format's own marks, the time is linear in its length."""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

import pytest

from tasks.errors import DocumentError
from tasks.load.parse.asciidoc import parse_asciidoc
from tasks.load.parse.delimited import parse_delimited
from tasks.load.parse.eml import parse_eml
from tasks.load.parse.html import parse_html
from tasks.load.parse.latex import parse_latex
from tasks.load.parse.markdown import parse_markdown
from tasks.load.parse.mdx import parse_mdx
from tasks.load.parse.office.rtf import parse_rtf
from tasks.load.parse.org import parse_org
from tasks.load.parse.rst import parse_rst
from tasks.load.parse.subtitles import parse_subtitles
from tasks.load.parse.text import Parsed

MIXED = int(os.environ.get("SHAPES", "8"))  # shapes of several marks for each format, beside those of one
SEED = int(os.environ.get("SEED", "1"))
LENGTH = 6_000 if MIXED > 8 else 2_000
QUICK = 0.06  # seconds for 8 times the length: the square of anything worth the name takes longer
Shape = Callable[[int], str]


def _bytes(parser: Callable[[str, bytes], Parsed], start: bytes = b"") -> Callable[[str], Parsed]:
    return lambda text: parser("a", start + text.encode())


PARSERS: dict[str, Callable[[str], Parsed]] = {
    "markdown": parse_markdown,
    "mdx": parse_mdx,
    "rst": parse_rst,
    "asciidoc": parse_asciidoc,
    "org": parse_org,
    "subtitles": parse_subtitles,
    "html": _bytes(parse_html),
    "latex": _bytes(parse_latex),
    "delimited": _bytes(parse_delimited),
    "rtf": _bytes(parse_rtf, b"{\\rtf1 "),
    "eml": _bytes(parse_eml, b"From: a@b.c\n"),
}
MARKS: dict[str, Sequence[str]] = {
    "markdown": (
        "#", "# a", "\n", "\n\n", "`", "``", "```", "```py\n", "~~~", "*", "**", "_", "[", "](", "]", "[a](b)", "![",
        "<", "<a ", "<!--", "-->", "<!", "<?", "<![CDATA[", "<div>", "</div>", "<h1>", "</h1>", "<pre>", "</pre>",
        "<script>", "</script", "<style>", "|", "|-", "---", "===", "\n===\n", "---\n", "+++\n", "- ", "* ", "1. ",
        "> ", "    ", "\t", "\\", ":", "{ #a }", "{", "}", "{{", "&amp;", "&", "[^a]", "[^a]: ", "[a]: ",
        "[//]: # (", "$", "$$", "(", "\"", "'", "a", "a ", "\u00e9", "\u0301", "<<<<<<< a\n", "=======\n",
        ">>>>>>> b\n", "!!! note\n", "::: a\n", ":a:", "title: a\n", "<br>", "\r\n", "  \n",
    ),
    "mdx": (
        "import a from 'b'\n", "export const a = ", "export default ", "{", "}", "(", ")", "<A ", "<A>", "</A>",
        "<A b={", "/>", "\n", "\n\n", "`", "```\n", "\"", "'", "/*", "*/", "//", "{/*", "*/}", "=>", "a", "<", ">",
        "${", "# a\n", "- ", "[", "]", "\\",
    ),
    "rst": (
        "\n", "\n\n", "====\n", "----", "a\n=\n", ".. a::\n", ".. note:: a\n", ".. |a| replace:: b\n", "|a|",
        ".. _a: b\n", ".. _a:", ".. [1] a\n", "`", "``", "`a <b>`_", "`a`_", ":a:`", "a_", "*", "**", "::", "::\n",
        "  ", "   ", "+--+", "|", "+==+", "== ==\n", "- ", "1. ", "#. ", "| a\n", ":a: b\n", ">>> a\n", "\\", ".. ",
        "..\n", ".. include:: a\n", ".. csv-table::\n", ".. list-table::\n", "   * - a\n", "     - b\n", "a\n", "a",
        "[1]_", "   :header-rows: 1\n", ".. code:: py\n", "__ a\n", ".. math::\n", "=", "-", "~",
    ),
    "asciidoc": (
        "= ", "== a\n", "\n", "\n\n", "*", "_", "`", "+", "#", "[", "]", "[[", "]]", "<<", ">>", "a::b[]",
        "image::a[b]\n", "link:a[", "http://a[", "{a}", "{", "}", ":a: b\n", ":a", "////\n", "//a\n", "----\n",
        "====\n", "|===\n", "|", "a|", "****\n", "--\n", "++++\n", "....\n", ".a\n", "[source,b]\n",
        "include::a[]\n", "ifdef::a[]\n", "endif::[]\n", "* ", "** ", ". ", "a:: ", "pass:[", "footnote:[", "kbd:[",
        "^", "~", "((", "a", "\"`", "'", "(((", "<1>", "\\",
    ),
    "org": (
        "* ", "** a\n", "*", "\n", "\n\n", "/", "_", "=", "~", "+", "[[", "]]", "][", "[fn:1]", "[fn:",
        "<2020-01-01>", ":a:\n", ":END:\n", ":PROPERTIES:\n", "#+begin_src a\n", "#+end_src\n", "#+BEGIN_QUOTE\n",
        "#+title: a\n", "#+a: b\n", "#", "# a\n", "| a ", "|", "|-\n", "|-+", "- ", "+ ", "1. ", "TODO ", "[#A] ",
        ":a:b:", "\\a", "\\(", "\\)", "$", "{{{", "}}}", "CLOCK: ", "SCHEDULED: ", "a", "a ", "%%(", "<<", "call_",
    ),
    "subtitles": (
        "0:00:01,0 --> 0:00:02,0\n", "00:01.000 --> 00:02.000 ", "-->", "\n", "\n\n", "NOTE ", "STYLE\n", "WEBVTT\n",
        "<", "<v a>", "</v>", "<i>", "{", "{\\an8}", "}", "&amp;", "&", "1\n", "a", "a\n", ":", "0",
    ),
    "html": (
        "<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<a href='", "<a href=b>", "</a>", "<table>", "<tr>",
        "<td>", "<td rowspan=3>", "<td colspan=9>", "</td>", "</tr>", "</table>", "<th>", "<caption>", "<ul>",
        "<li>", "</li>", "<ol>", "<dl>", "<dt>", "<dd>", "<pre>", "</pre>", "<code>", "<h1>", "</h1>", "<br>",
        "<hr>", "<!--", "-->", "<", "&", "&amp;", "<script>", "</script>", "<style>", "</style>", "<span hidden>",
        "<span>", "</span>", "<sup>", "<sub>", "<math>", "<mfrac>", "<mi>", "<svg>", "<template>", "<select>",
        "<option>", "<main>", "<header>", "<article>", "<section>", "<nav>", "<ruby>", "<rt>", "<details>",
        "<summary>", "<form>", "<input value=a>", "<button>", "<img alt=a>", "<svg><text>", "<i>", "a", " ", "\n",
        "<font>", "<blockquote>", "<figure>", "<figcaption>", "<title>", "<iframe>", "<noscript>", "<textarea>",
        "<label for=a>", "<a id=a>", "<style>.a{display:none}</style>", "<p class=a>", "<p style='display:none'>",
        "<x>", "</x>", "<rb>",
    ),
    "latex": (
        "\\", "{", "}", "[", "]", "$", "$$", "\\(", "\\)", "\\[", "\\]", "%a\n", "%", "\\a", "\\a{b}",
        "\\section{a}", "\\section{", "\\begin{a}", "\\end{a}", "\\begin{itemize}", "\\item ", "\\end{itemize}",
        "\\begin{tabular}{ll}", "\\end{tabular}", "&", "\\\\", "\\begin{verbatim}", "\\end{verbatim}", "\\verb|a|",
        "\\verb", "\\frac{a}{b}", "^", "_", "~", "\n", "\n\n", "a", "a ", "\\footnote{", "\\newcommand{\\b}{c}",
        "\\newcommand{\\b}[1]{#1#1}", "\\b{", "\\b", "\\def\\b{", "\\input{a}", "\\cite{a}", "\\ref{a}",
        "\\includegraphics{a}", "\\caption{", "\\title{a}", "\\maketitle", "\\begin{document}", "\\end{document}",
        "\\textbf{", "\\multicolumn{2}{c}{a}", "\\lstinputlisting", "\\href{a}{b}", "``", "''", "--",
        "\\begin{equation}", "\\end{equation}", "\\left(", "\\iffalse", "\\fi", "\\begin{comment}", "\\end{comment}",
    ),
    "delimited": (
        "a,", ",", "\"", "\"a\"", "\n", "\r\n", "\"\"", "a;b\n", "a\tb\n", ";", "\t", "|", "a", "a,b\n", "'", "#",
        " ", "1.0,", "\"a\nb\",",
    ),
    "rtf": (
        "\\par ", "\\par", "{", "}", "\\b ", "{\\b a}", "\\'e9", "\\u233?", "\\u233 ", "\\uc2 ", "\\bin3 abc",
        "{\\*\\a ", "\\field", "{\\field{\\*\\fldinst a}{\\fldrslt b}}", "{\\pict ", "\\trowd ", "\\cell ", "\\row ",
        "\\cellx100 ", "\\intbl ", "\\tab ", "\\line ", "a", "a ", "\\pard ", "\\plain ", "{\\fonttbl ", "{\\f0 a;}",
        "\\f0 ", "{\\stylesheet ", "{\\s1 a;}", "\\s1 ", "\\v ", "\\v0 ", "\\deleted ", "\\super ", "\\nosupersub ",
        "{\\footnote ", "{\\header ", "\\ls1 ", "{\\listtext 1.}", "\\outlinelevel1 ", "\\~", "\\_", "\\-", "\\\n",
        "\n", "{\\info{\\title a}}", "{\\upr ", "{\\*\\ud ", "\\sect ", "\\page ", "{\\shp ", "{\\*\\shptxt ",
        "\\nestcell ", "\\nestrow ", "\\itap2 ", "{\\*\\nesttableprops ",
    ),
    "eml": (
        "\n", "\n\n", "A: b\n", "Content-Type: multipart/mixed; boundary=b\n\n", "--b\n", "--b--\n",
        "Content-Type: text/html\n\n", "Content-Transfer-Encoding: base64\n",
        "Content-Transfer-Encoding: quoted-printable\n", "=3D", "=", "=?utf-8?q?a?=", "=?", "To: a@b.c, ", "To: ",
        "a@b.c, ", "<", "\"", "(", ";", " ", "<p>", "> ", "a", "Subject: ", "Date: ", "YWJj",
        "Content-Disposition: attachment; filename=a\n", "Content-Type: message/rfc822\n\n", "From: a\n", ",", "\t",
    ),
}  # fmt: skip


def shapes(marks: Sequence[str]) -> Iterator[tuple[str, Shape]]:
    """Each mark again and again; several together, behind one, before one, or after many."""
    for mark in marks:
        yield repr(mark), partial(_made, "again", mark, "")
    some = random.Random(SEED)
    for _ in range(MIXED):
        first, *rest = some.choices(marks, k=some.choice((2, 2, 3, 3, 4)))
        way = some.choice(("again", "again", "behind", "before", "after"))
        yield f"{way} {first!r} {rest}", partial(_made, way, first, "".join(rest))


def _made(way: str, one: str, more: str, length: int) -> str:
    match way:
        case "behind":
            return one + more * (length // len(more))
        case "before":
            return more * (length // len(more)) + one
        case "after":
            return one * (length // 2 // len(one)) + more * (length // 2 // len(more))
        case _:
            return (one + more) * (length // len(one + more))


def seconds(parser: Callable[[str], Parsed], text: str) -> float:
    started = time.process_time()
    with suppress(DocumentError, RecursionError):  # the process for parsers names both
        parser(text)
    return time.process_time() - started


@pytest.mark.parametrize("name", PARSERS)
def test_no_shape_takes_the_square_of_its_length(name: str) -> None:
    parser = PARSERS[name]
    slow: list[str] = []
    for shape, make in shapes(MARKS[name]):
        long = seconds(parser, make(8 * LENGTH))
        if long < QUICK:
            continue
        short = min(seconds(parser, make(LENGTH)) for _ in range(3))
        long = min(long, *(seconds(parser, make(8 * LENGTH)) for _ in range(2)))
        if long > 0.05 + 24 * short:  # 8 times the text; the square would be 64 times
            slow.append(f"{shape}: {short:.3f} s, {long:.3f} s")
    assert slow == []
