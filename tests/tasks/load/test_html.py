"""Pages of HTML: all that is seen, nothing that is not, in its order, and titles that are titles."""

import re
import time
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.load.parse.html import html_to_markdown
from tasks.markdown import find_headings

HIDDEN = (
    "<p hidden>{}</p>",
    "<div HIDDEN=hidden>{}</div>",
    "<span aria-hidden=' TRUE '>{}</span>",
    "<p class=unseen style='color:red'>{}</p>",
    "<p style='display:none'>{}</p>",
    "<p style='DISPLAY : NONE !IMPORTANT'>{}</p>",
    "<p style='display:/**/none;color:red'>{}</p>",
    "<p style='d\\69splay:none'>{}</p>",
    "<b style='display:block;display:none'>{}</b>",
    "<p style='display:none!important;display:block'>{}</p>",
    "<p style='Visibility: Hidden'>{}</p>",
    "<p style='visibility:collapse'>{}</p>",
    "<p style='content-visibility:hidden'>{}</p>",
    "<p style='font-size:0px'>{}</p>",
    "<p style='font: 0/0 a'>{}</p>",
    "<p style='opacity: .0'>{}</p>",
    "<p style='opacity:0%'>{}</p>",
    "<p style='color:transparent'>{}</p>",
    "<p style='color: rgba(255, 255, 255, 0.0)'>{}</p>",
    "<p style='position:absolute; clip: rect(0 0 0 0)'>{}</p>",
    "<p style='clip:rect(1px, 1px, 1px, 1px)'>{}</p>",
    "<p style='clip-path: inset(50%)'>{}</p>",
    "<p style='position: absolute; left: -9999px'>{}</p>",
    "<p style='position:fixed;top:-100em'>{}</p>",
    "<p style='text-indent:-9999px'>{}</p>",
    "<p style='transform:scale(0)'>{}</p>",
    "<p style='transform: translateX(-9999px)'>{}</p>",
    "<p style='height:0;overflow:hidden'>{}</p>",
    "<p style='width: 1px; height: 1px; overflow: clip'>{}</p>",
    "<p class='a sr-only'>{}</p>",
    "<p class=unseen>{}</p>",
    "<p class='aside now'>{}</p>",
    "<p id=no>{}</p>",
    "<p data-off>{}</p>",
    "<p data-state='off'>{}</p>",
    "<div class=box><i><b class=kid>{}</b></i></div>",
    "<div class=box><u>{}</u></div>",
    "<samp>{}</samp>",
    "<p style='color:#fff;background:white'>{}</p>",
    "<p style='text-indent:100%;white-space:nowrap;overflow:hidden'>{}</p>",
    "<template>{}</template>",
    "<script>{}</script>",
    "<style>{}</style>",
    "<noscript>{}</noscript>",
    "<dialog>{}</dialog>",
    "<div popover>{}</div>",
    "<datalist><option>{}</datalist>",
    "<input type=hidden value={}>",
    "<input type=password value={}>",
    "<input placeholder={}>",
    "<!-- {} -->",
    "<?php echo '{}' ?>",
    "<svg><title>icon</title><defs><text>{}</text></defs></svg>",
    "<video>{}</video>",
    "<progress>{}</progress>",
)
SHOWN = (
    "<p>{}</p>",
    "<p>{}",
    "<div>{}</div>",
    "<ul><li>{}<li>{}</ul>",
    "<ol><li><p>{}</p><li>{}</ol>",
    "<dl><dt>{}<dd>{}</dl>",
    "<h2>{}</h2>",
    "<blockquote>{}</blockquote>",
    "<pre>{}</pre>",
    "<details><summary>{}</summary>{}</details>",
    "<figure><img alt={}><figcaption>{}</figcaption></figure>",
    "<fieldset><legend>{}</legend><label>{}</label><input value={}></fieldset>",
    "<select><option>{}<option>{}</select>",
    "<button>{}</button><button>{}</button>",
    "<table><tr><th>{}<th>{}<tr><td>{}<td>{}</table>",
    "<table><caption>{}</caption><tr><td><p>{}<p>{}<td><ul><li>{}<li>{}</ul></table>",
    "<table role=presentation><tr><td>{}<td>{}</table>",
    "<x-card>{}</x-card><x-card>{}</x-card>",
    "<address>{}<br>{}</address>",
    "<span style='display:block'>{}</span><span style='display: block'>{}</span>",
    "<p hidden=until-found>{}</p>",
    "<div role=tabpanel hidden>{}</div>",
    "<p style='visibility:hidden'><b style='visibility:visible'>{}</b></p>",
    "<p style='font-size:0'><b style='font-size:14px'>{}</b></p>",
    "<p class=opened>{}</p>",
    "<i>{}</i><i class=opened>{}</i>",
    "<div style='display:flex'><b>{}</b><b>{}</b>{}</div>",
    "<p class=row><b>{}</b><b>{}</b></p>",
    "<b class=line>{}</b><b class=line>{}</b>",
    "<p class=names><b>{}</b><b>{}</b></p>",
    "<b style='float:left'>{}</b><b style='float:right'>{}</b>",
    "<b class=pinned>{}</b><b class=pinned>{}</b>",
    "<p class=unseen style='visibility:visible'>{}</p>",
    "<img title={}>",
    "<b class=kid>{}</b>",
    "<p x-cloak>{}</p>",
    "<div class=box><i><u>{}</u></i></div>",
    "<div class=tabs><p class=tab>{}</p></div>",
    "<div class=math><b class=words>{}</b></div>",
    "<p style='color:#fff;background:black'>{}</p>",
    "<textarea>{}</textarea>",
    "<svg><text>{}</text><text>{}</text></svg>",
    "<center>{}</center>",
    "<dialog open>{}</dialog>",
    "<p>{} <a href=x>{}</a> <em>{}</em> <q>{}</q> <code>{}</code> <kbd>{}</kbd></p>",
)
AROUND = (
    "<div>{}</div>",
    "<ul><li>{}</ul>",
    "<ol start=3><li>{}<li></ol>",
    "<blockquote>{}</blockquote>",
    "<dl><dd>{}</dl>",
    "<table><tr><td>{}</table>",
    "<table><tr><th>{}<td rowspan=3 colspan=2><tr><td></table>",
    "<section><x-box>{}</x-box></section>",
)
SHEET = (
    "<style>/* a */ .unseen, #no {display:none} .aside{position:absolute;left:-9999px} @media print{p{display:none}}"
    ".opened{display:none} .opened.now{display:block} [data-off],[data-state='off'], .box .kid, .box > u {display:none}"
    "samp{visibility:hidden} [x-cloak]{display:none} .tabs .tab{display:none} .tabs .tab.on{display:block}"
    ".row{display:inline-flex}.line{display:block}.names > b{display:block}.pinned{position:absolute}"
    ".math .words{position:absolute;clip:rect(1px,1px,1px,1px)}</style>"
)


def words(text: str) -> list[str]:
    """Without the numbers of lists."""
    return [word for word in re.findall(r"\w+", text) if not word.isdigit()]


@st.composite
def pages(draw: st.DrawFn) -> tuple[str, list[str], list[str]]:
    """A page of parts in each other, with the words that are seen and those that are not, in their order."""
    numbers = count()
    seen: list[str] = []
    unseen: list[str] = []

    def part(depth: int) -> str:
        shape = draw(st.sampled_from(SHOWN + HIDDEN))
        if shape in HIDDEN:
            unseen.append(f"unseen{next(numbers)}x")
            return shape.format(unseen[-1])
        texts = []
        for _ in range(shape.count("{}")):
            seen.append(f"seen{next(numbers)}x")
            texts.append(seen[-1])
        inner = "".join(part(depth + 1) for _ in range(draw(st.integers(0, 2)))) if depth < 3 else ""
        return shape.format(*texts) + draw(st.sampled_from(AROUND)).format(inner)

    body = "".join(part(0) for _ in range(draw(st.integers(1, 6))))
    return SHEET + body, seen, unseen


MIXED = "<math><mn>2</mn><mfrac><mn>1</mn><mn>2</mn></mfrac>{}</math>"
POWER = "<msup><mn>10</mn><mn>6</mn></msup>"


@settings(max_examples=150, deadline=None)
@given(pages())
def test_every_visible_word_is_in_its_place_and_no_hidden_one(made: tuple[str, list[str], list[str]]) -> None:
    page, seen, unseen = made
    text = html_to_markdown(page).text
    assert words(text) == seen
    assert not any(word in text for word in unseen)


@pytest.mark.parametrize("shape", HIDDEN)
def test_hidden_text_is_out_in_every_spelling(shape: str) -> None:
    text = html_to_markdown(f"{SHEET}<p>before</p>{shape.format('secret')}<p>after</p>").text
    assert text == "before\n\nafter\n"


def test_words_for_the_eye_alone_are_counted_but_not_the_second_writing_of_a_formula() -> None:
    page = "<p>x <b aria-hidden=true>Sold out &#9733;</b> <span class=katex-html aria-hidden=true>ab cd</span>"
    assert html_to_markdown(page).remarks == ("left out: 2 words marked as decoration (aria-hidden)",)


@pytest.mark.parametrize("shape", SHOWN)
def test_what_is_shown_is_in_and_nothing_is_glued(shape: str) -> None:
    wanted = [f"word{number}x" for number in range(shape.count("{}"))]
    text = html_to_markdown(SHEET + "<p>before</p>" + shape.format(*wanted) + "<p>after</p>").text
    assert words(text) == ["before", *wanted, "after"]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("un<b>believ</b>able <span>o</span>ne <code>foo</code>s", "unbelievable one foos"),
        (
            "soft&shy;ware zero&#8203;width Donau<wbr>dampf non&nbsp;breaking",
            "software zerowidth Donaudampf non breaking",
        ),
        ("10<sup>6</sup> 5 m<sup>2</sup>K x<sup>n+1</sup> 10<sup>-3</sup>", "10^6 5 m^2 K x^(n+1) 10^-3"),
        ("10<span style='vertical-align: super'>6</span>", "10^6"),
        ("<style>.c5{vertical-align:super}</style>10<span class=c5>6</span>", "10^6"),
        ("<svg><text>10<tspan baseline-shift=super>6</tspan></text></svg>", "10^6"),
        ("a <script type='math/tex'>x^2</script>, b", "a x^2, b"),
        ("<style>.c6{text-decoration: line-through}</style><span class=c6>old</span>", "~~old~~"),
        ("1<sup>st</sup> 2<sup>e</sup> Prefect<sup>TM</sup>", "1st 2e Prefect™"),
        ("H<sub>2</sub>SO<sub>4</sub> 101<sub>2</sub> x<sub>i</sub>", "H2SO4 101_2 x_i"),
        ("note<sup><a href='#n'>3</a></sup>", "note[3]"),
        (
            "in 2024<a role='doc-noteref' href='#n'>3</a>, x<sup><a epub:type=noteref href='#n'>4</a></sup>",
            "in 2024[3], x[4]",
        ),
        ("<math><mfrac><mn>1</mn><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow></mfrac></math>", "1/(a+b)"),
        ("E=<math><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></math>, so", "E=mc^2, so"),
        (
            "<math><mmultiscripts><mi>C</mi><mn>1</mn><none/><mprescripts/><mn>6</mn><mn>14</mn></mmultiscripts></math>",
            "_6^14 C_1",
        ),
        ("<math><mmultiscripts><mi>T</mi><mi>i</mi><mrow/><mrow/><mi>j</mi></mmultiscripts></math>", "T_i^j"),
        ("<span style='float:left'>T</span>he pump", "The pump"),
        ("<a href=x><b aria-hidden=true>4.10.</b> Limits</a> <i aria-hidden=true>&#9733;</i>", "4.10. Limits"),
        (MIXED.format("<mi>x</mi>"), "2 1/2 x"),
        (MIXED.format("<msup><mi>y</mi><mrow><mn>2</mn><mi>n</mi></mrow></msup>"), "2 1/2 y^(2n)"),
        (f"<math><mn>3</mn>{POWER}<mi>m</mi></math>", "3 10^6 m"),
        (f"<math><mi>a</mi><mo>&InvisibleTimes;</mo>{POWER}<mn>5</mn></math>", "a 10^6 5"),
        ("<math><mi>z</mi><mi>sin</mi><mo>&ApplyFunction;</mo><mi>x</mi></math>", "z sin x"),
        ("<math><mn>1</mn><mn>0</mn><mfrac><mi>a</mi><mrow><mn>2</mn><mi>x</mi></mrow></mfrac></math>", "10a/(2x)"),
        ("<math alttext='x^{2}'><mi>y</mi></math>", "x^{2}"),
        ("<ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>", "漢字(かんじ)"),
        ("<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>", "漢字(かんじ)"),
        ("<abbr title='Power supply'>UPS</abbr>, <abbr title='Power supply'>UPS</abbr>", "UPS (Power supply), UPS"),
        ("was <del>90</del> <s>80</s> 70", "was ~~90~~ ~~80~~ 70"),
        ("He said <q>stop</q>", "He said “stop”"),
        ("<a href=a>Home</a><a href=b>About</a>", "Home About"),
        ("<code>a`b</code> <code>c</code>", "`` a`b `` `c`"),
        ("<code>\\u</code><em><code>wxyz</code></em>", "`\\uwxyz`"),
        ("see<code> .html </code>then <code>\\u<em><code>wxyz</code></em></code>", "see `.html` then `\\uwxyz`"),
        ("<input type=checkbox checked> done", "[x] done"),
        ("# no title", "\\# no title"),
        ("a<br>===<br># b<br>~~~", "a\n\\===\n\\# b\n\\~~~"),
        ("1. ```sh", "1. \\```sh"),
        ("a < b && c", "a < b && c"),
        ("one<br><br>two", "one\n\ntwo"),
        ("<img alt='a.png'><img alt=''><img alt='A pump' role=presentation><img alt='A pump'>", "A pump"),
    ],
)
def test_a_line_says_what_a_reader_reads(page: str, text: str) -> None:
    assert html_to_markdown(f"<p>{page}").text == f"{text}\n"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<ol start=5><li>a<li value=9>b<ul><li>c</ul></ol>", "5. a\n9. b\n   - c"),
        ("<ol type=a><li>x<li>y</ol><ol type=I start=4><li>z</ol>", "a. x\nb. y\nIV. z"),
        ("<ol reversed><li>x<li>y</ol>", "2. x\n1. y"),
        ("<dl><dt>A<dd>one<dd>two<dt>B<dd>three</dl>", "A\n: one\n: two\n\nB\n: three"),
        ("<blockquote>a<p>b</blockquote>", "> a\n\n> b"),
        ("<pre><code class='language-py'>  a\n\n# b\n</code></pre>", "```py\n  a\n\n# b\n```"),
        ("<pre class='highlight-source-js'>```\n</pre>", "````js\n```\n````"),
        ("<pre>a<br>b<button>Copy</button></pre>", "```\na\nb\n```"),
        ("<pre>10<sup>6</sup> of 1<sub>2</sub></pre>", "```\n10^6 of 1_2\n```"),
        ("<body style='display:none'><textarea>a\n# b</textarea>", "a\n\\# b"),
        ("<div data-lang=go><pre>x</pre></div>", "```go\nx\n```"),
        (
            "<table><tr><th>A|B<th>C<tr><td rowspan=2>x<td>1<tr><td>2</table>",
            "| A\\|B | C |\n|---|---|\n| x | 1 |\n| x | 2 |",
        ),
        ("<table><tr><td colspan=2>x<tr><td>1<td>2</table>", "|  |  |\n|---|---|\n| x |\n| 1 | 2 |"),
        (
            "<table><thead><tr><th rowspan=2>N<th colspan=2>Q<tr><th>1<th>2</thead><tr><td>a<td>b<td>c</table>",
            "| N | Q 1 | Q 2 |\n|---|---|---|\n| a | b | c |",
        ),
        ("<table><tr><th>A<tr><td>a<table><tr><td>b<td>c</table></table>", "| A |\n|---|\n| a / b, c |"),
        ("<table><tr><td>alone</table>", "alone"),
        ("<table><tr><td><h2>A</h2>b<td>c</table>", "## A\n\nb\n\nc"),
        ("<table><tr><td><pre>1\n2</pre><td><pre>a\nb</pre></table>", "```\na\nb\n```"),
        (
            "<table class=hljs-ln><tr><td class=hljs-ln-numbers>1<td>a b<tr><td class=hljs-ln-numbers>2<td>  c</table>",
            "```\na b\n  c\n```",
        ),
        ("<h2>Use <code>f</code> <a class=headerlink href='#u'>¶</a></h2><h3> </h3>", "## Use f"),
        ("<h1>Title<p>text <div role=heading aria-level=3>Sub</div>", "# Title\n\ntext\n\n### Sub"),
        ("a<hr>b<hr>", "a\n\n---\n\nb"),
        ("<frameset><frame src=x><noframes><p>none</noframes></frameset>", "none"),
    ],
)
def test_a_block_keeps_its_form(page: str, text: str) -> None:
    assert html_to_markdown(page).text == f"{text}\n"


@pytest.mark.parametrize(
    ("page", "text", "remarks"),
    [
        ("<nav><a>one two</a></nav><p>body", "body\n", ("left out: navigation, 2 words",)),
        ("<div role=navigation><a>one</a></div><p>body", "body\n", ("left out: navigation, 1 word",)),
        (
            "<nav>many words that are no links at all <a>one</a></nav><p>b",
            "many words that are no links at all one\n\nb\n",
            (),
        ),
        ("<h1>Map</h1><nav><a>one two</a></nav><footer>foot", "# Map\n\none two\n\nfoot\n", ()),
        ("<p class=unseen>a b</p>c", "c\n", ("left out: 2 words that the page's own style hides",)),
        ("<p>many words<iframe></iframe><video></video>", "many words\n", ("not read: 1 frame, 1 video",)),
        ("<img><img>", "", ("2 pictures and no text",)),
        ("<div id=root></div><script src=x></script>", "", ("the page is made by JavaScript, which is not run",)),
        ("<meta http-equiv=refresh content='0; url=b.html'>", "", ("the page only forwards to another",)),
    ],
)
def test_what_is_left_out_is_named(page: str, text: str, remarks: tuple[str, ...]) -> None:
    parsed = html_to_markdown(SHEET + page)
    assert (parsed.text, parsed.remarks) == (text, remarks)


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title> A &amp;\n B </title><h1>C</h1>", "A & B"),
        ("<title></title><h1>C <code>d</code><a href='#c'>#</a></h1>", "C d"),
        ("<svg><title>icon</title></svg><h1>C</h1>", "C"),
        ("<meta property='og:title' content='Shared'><p>x", "Shared"),
        ("<h1 hidden>no</h1><h1>yes</h1>", "yes"),
        ("<?xml version='1.0'?><html><head><title/></head><body><h1>C</h1></body></html>", "C"),
    ],
)
def test_the_title_is_what_the_window_or_the_first_heading_says(page: str, title: str) -> None:
    assert html_to_markdown(page).title == title


def test_titles_stand_where_they_are_said_to_and_are_those_of_the_text() -> None:
    page = "<h1>Using <i>a_b</i> and C#</h1><p># no</p><pre># no\n</pre><ul><li>x<h2>Part</h2>y</ul><p>---</p>"
    parsed = html_to_markdown(page)
    headings = parsed.headings or ()
    assert [(parsed.text[one.start : one.end], one.level, one.title) for one in headings] == [
        ("# Using a_b and C#", 1, "Using a_b and C#"),
        ("## Part", 2, "Part"),
    ]
    assert [heading.start for heading in find_headings(parsed.text)] == [heading.start for heading in headings]


def test_many_nested_rules_cost_no_more_than_some() -> None:
    rules = "".join(f".a{number} p{{display:none}}" for number in range(2_000))
    started = time.process_time()
    assert html_to_markdown(f"<style>{rules}</style>" + "<p>x" * 4_000).text.count("x") == 4_000
    assert time.process_time() - started < 3, "each rule for each paragraph takes 20 s"


def test_a_drawing_of_many_shapes_and_tags_without_end_cost_no_text() -> None:
    shapes = "<svg>" + "<path d='M0 0'/><g><use/></g>" * 1_000 + "<text>label</text></svg>"
    parsed = html_to_markdown(f"<p>before{shapes}<ul>{'<li>item' * 900}</ul><p>after</p>")
    assert words(parsed.text) == ["before", "label", *["item"] * 900, "after"]
    assert parsed.remarks == ()


@pytest.mark.parametrize(
    "part",
    [
        "<div>",
        "<ul><li>x",
        "<table><tr><td>",
        "<b><p>x",
        "<pre>x</pre>",
        "<option>x",
        "<td rowspan=9999 colspan=999>x",
        "<sup>x",
    ],
)
def test_a_page_of_one_thing_costs_in_proportion(part: str) -> None:
    """Counted in what is written, as time is not the same twice: never many times what is read."""
    page = f"<table><tr>{part * 5_000}<p>end"
    text = html_to_markdown(page).text
    assert "end" in text
    assert len(text) < 4 * len(page) + 2_000
