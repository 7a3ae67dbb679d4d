"""Pages in Markdown and MDX: what a reader sees is in the text, in order, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import DocumentError
from tasks.load.parse.open import parse
from tasks.records import Document, DocumentId, DocumentRef

CLAUSE = "a merge was not finished: it holds both versions of a part (line 3)"


def read(name: str, text: str) -> Document:
    return parse(DocumentRef(DocumentId(f"s:{name}"), "s", name), text.encode())


@pytest.mark.parametrize(
    ("front", "title"),
    [
        ("---\ntitle: It's a pump\n---\n", "It's a pump"),
        ("---\ntitle: 'It''s'\n---\n", "It's"),
        ('---\n"title": "A \\"pump\\""\n---\n', 'A "pump"'),
        ("---\ntitle: 1.10\n---\n", "1.10"),
        ("---\ntitle: 2024-01-02\n---\n", "2024-01-02"),
        ("---\nTitle: >-\n  Two\n  lines\nx: y\n---\n", "Two lines"),
        ("---\ntitle: |\n  Two\n  lines\n...\n", "Two lines"),
        ("---\ntitle: A: B\ntags: [x]\n---\n", "A: B"),
        ("---\n# a comment\ntitle: {{ page }}\n---\n", "{{ page }}"),
        ("---\ntitle: '**Bold** `code` :tada:'\n---\n", "Bold code"),
        ("---\ntags: [a]\ntitle: ~\n---\n", "H"),
        ("---\n---\n", "H"),
        ('+++\ntitle = "T"\nweight = 3\n+++\n', "T"),
        ("+++\ntitle = 3.10\n+++\n", "3.10"),
        ('{\n  "title": "J",\n  "draft": false\n}\n', "J"),
    ],
)
def test_front_matter_names_the_page_and_is_no_text(front: str, title: str) -> None:
    document = read("a.md", f"{front}\n# H\n\nwords\n")
    assert (document.metadata["title"], document.text) == (title, "\n# H\n\nwords\n")
    assert (document.extent.offset, document.extent.line) == (len(front), front.count("\n") + 1)


@pytest.mark.parametrize(
    "text",
    [
        "---\nNotice: old clusters must be drained. Call them.\n\nOr call the desk.\n\n---\n\n# Guide\n",
        "---\nNotice: read all of this page first.\n---\n\n# Guide\n",
        "---\nIf this happens, call us: 4410\n---\n\n# Guide\n",
        "---\nThe limit of this pump: 40 bar\n---\n\n# Guide\n",
        "---\nWarning: drain the old clusters before the upgrade\n---\n\n# Guide\n",
        "---\n# Title\n---\n\nwords\n",
        "---\n- one\n- two\n---\n\nwords\n",
        "---\nwords\n---\n\nmore\n",
        "---\n\nwords\n",
        "---\ntitle: never closed\n\nwords\n",
        "---\ntitle: x\n+++\nwords\n",
        "+++\nwords\n+++\n\nmore\n",
        '{"not": "closed"\n\nwords\n',
        "{{ macro }}\n\nwords\n",
        '["title"]\n\nwords\n',
        "***\ntitle: x\n***\n\nwords\n",
        f"---\na: {'[' * 3000}\n---\nwords\n",
        f"{'{' * 3000}\nwords\n",
    ],
)
def test_a_page_that_begins_with_a_rule_loses_nothing(text: str) -> None:
    document = read("a.md", text)
    assert (document.text, document.extent.offset) == (text, 0)


HIDDEN = {
    "comment": "<!-- {} -->",
    "comment over paragraphs": "<!--\n# {}\n\nmore\n-->",
    "comment in a line": "word <!-- {} --> word",
    "comment in a list": "- word\n\n    <!-- {}\n\n    more -->",
    "comment in an element": "<div>word\n<!-- {} --></div>",
    "note to authors": "[//]: # ({})",
    "comment by a definition": '[comment]: <> "{}"',
    "style": "<style>\n.{} {{ color: red }}\n\n</style>",
    "script": "<div>word<script>{}()</script></div>",
}
SHOWN = {
    "code of a comment": "`<!-- {} -->`",
    "long code of a comment": "`` <!-- ` {} --> ``",
    "fenced comment": "```html\n<!-- {} -->\n```",
    "indented comment": "word\n\n    <!-- {} -->\n",
    "an arrow": "a <!- {} -> b",
    "a table": "| a | b |\n|---|---|\n| {} | c |",
    "a footnote": "word[^1]\n\n[^1]: {}",
    "an admonition": "!!! note\n    {}",
    "a container": "::: tip {}\nword\n:::",
    "a wiki link": "[[{}]]",
    "an element": "<details><summary>{}</summary>word</details>",
}


@given(st.lists(st.sampled_from([*HIDDEN, *SHOWN]), max_size=8), st.sampled_from(["", "---\ntitle: x\n---\n"]))
def test_every_visible_word_is_in_and_no_hidden_one(names: list[str], front: str) -> None:
    parts = [{**HIDDEN, **SHOWN}[name].format(f"word{number}") for number, name in enumerate(names)]
    text = front + "".join(f"\n{part}\n\nplain{number}\n" for number, part in enumerate(parts))
    document = read("a.md", text)
    wanted = [
        word
        for number, name in enumerate(names)
        for word in ((f"word{number}", f"plain{number}") if name in SHOWN else (f"plain{number}",))
    ]
    places = [document.text.find(word) for word in wanted]
    assert places == sorted(places)
    assert -1 not in places
    assert not [name for number, name in enumerate(names) if name in HIDDEN and f"word{number}" in document.text]
    for word, place in zip(wanted, places, strict=True):
        assert text.startswith(word, document.extent.offset + place), "what is left stands where it stood"


def test_a_program_in_mdx_is_no_text_and_its_words_are() -> None:
    text = """---
title: Guide
---
import Tabs from '@theme/Tabs';
import {
  A, B
} from "b"

export const toc = [
  {a: secret1},

  {b: secret2},
]

# Install {/* secret3 */}

import the module first, then export it.

<Tabs groupId="secret4" values={[{label: 'Windows', value: 'secret5'}]} onChange={() => secret6 > 7}>
<TabItem value="secret7" label="With npm">

```jsx
import shown1 from 'y'
<Shown2/>
```

Use `<Shown3>` here{' '}<Card title="Card title">inner words</Card>, where 3 < 4.

</TabItem></Tabs>
<h2 id="secret8">Next</h2>

{/* secret9

more */}
last
"""
    document = read("a.mdx", text)
    assert (document.metadata["title"], document.format) == ("Guide", "markdown")
    words = ("# Install", "import the module first", "Windows", "With npm", "shown1", "<Shown2/>", "<Shown3>",
             "Card title", "inner words", "3 < 4", "Next</h2>", "last")  # fmt: skip
    places = [document.text.find(word) for word in words]
    assert places == sorted(places)
    assert -1 not in places
    assert "secret" not in document.text.replace('id="secret8"', "")
    assert "@theme" not in document.text
    assert text.startswith(document.text[-5:], len(text) - 5)


MERGE = "# Limits\n\n<<<<<<< HEAD\nThe limit is 70 bar.\n=======\nThe limit is 90 bar.\n>>>>>>> feature\n"


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.rst", "a.py", "a.html"])
def test_marks_of_a_merge_are_told_and_no_text(name: str) -> None:
    document = read(name, MERGE)
    assert "70 bar" in document.text
    assert "90 bar" in document.text
    assert not {"<<<<", "====", ">>>>", "HEAD", "feature"} & set(document.text.replace("\n", " ").split())
    assert document.remarks == (CLAUSE,)
    assert "bar" not in document.metadata.get("title", "")


@pytest.mark.parametrize(
    "text",
    [
        f"# How to merge\n\n```\n{MERGE}```\n",
        "Title\n=======\n\n<<<<<<< HEAD\nwords\n",
        ">>>>>>> a\n\nTitle\n=======\n\nwords\n",
    ],
)
def test_what_only_looks_like_a_merge_stays(text: str) -> None:
    document = read("a.md", text)
    assert (document.text, document.remarks) == (text, ())


def test_a_merge_with_its_base_is_one() -> None:
    text = MERGE.replace("=======", "||||||| base\nThe limit was 60 bar.\n=======")
    document = read("a.md", text)
    assert "60 bar" in document.text
    assert "|||" not in document.text


@pytest.mark.parametrize("name", ["a.md", "a.pdf", "a.docx", "a.txt", "a.html", "a.png", "README", "a.csv"])
@pytest.mark.parametrize(
    ("pointer", "command"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
        ("\ufeffversion https://git-lfs.github.com/spec/v1\r\next-0-x sha256:1\r\noid sha256:4d\r\n", "git lfs pull"),
        ("version https://hawser.github.com/spec/v1\noid sha256:4d7a\nsize 5\n", "git lfs pull"),
        ("/annex/objects/SHA256E-s12--4d7a.pdf\n", "git annex get"),
        ("../.git/annex/objects/xx/yy/SHA256E-s12--4d7a.pdf/SHA256E-s12--4d7a.pdf", "git annex get"),
    ],
)
def test_a_pointer_is_set_aside_with_its_remedy(name: str, pointer: str, command: str) -> None:
    with pytest.raises(DocumentError, match=rf"^{name} is a pointer of .*{command}.* exclude it") as caught:
        read(name, pointer)
    assert caught.value.reason == "lfs-pointer"


def test_a_page_about_pointers_is_none() -> None:
    assert read("a.md", "A pointer is like this:\n\nversion https://git-lfs.github.com/spec/v1\n").text
