"""Texts on which two tokenizers would differ, if they do."""

# ruff: noqa: RUF001 - characters that look alike are tried on purpose

from collections.abc import Iterator, Sequence

_PROSE = (
    "", " ", "\n", "\t \r\n", "a", "A", "The quick brown fox doesn't jump over 1,234.56 lazy dogs; it's 3:45 p.m.!",
    "Antidisestablishmentarianism, pneumonoultramicroscopicsilicovolcanoconiosis and Donaudampfschiff.",
    "def f(self, x: int = 0x7F) -> list[str]:\n    return [f\"{k!r}\" for k in self._map[x:]]  # TODO(#12)\n",
    "https://user@example.org:8080/a/b_c.html?q=1&r=%20#frag ~/.config/$HOME C:\\dir\\file.txt",
    "a_b-c.d/e\\f|g~h`i^j*k+l=m<n>o&p%q$r#s@t!u?v:w;x,y(z)[0]{1}\"2'3", "snake_case camelCase PascalCase SCREAMING",
    "| a | b |\n|---|:-:|\n", "```py\nx\n```", "...---...***===", "1e-5 0b101 12th x86_64 v1.2.3-rc4+build5",
    "\\alpha_{i}^2",
)  # fmt: skip
_UNICODE = (
    "naïve café Ångström Œuvre Straße ẞ ÀÉÎÕÜ Łódź Đặng İstanbul ıI",
    "e\u0301 a\u0308 o\u0302\u0323 \u0301 \u0301x", "ΑΣ ΟΔΥΣΣΕΥΣ σς Ελλάδα ΐ", "Привет, мир! Ёлка й и\u0306",
    "שלום עולם שָׁלוֹם", "السلام عليكم مَرْحَبًا ١٢٣", "नमस्ते दुनिया", "สวัสดีชาวโลก",
    "日本語の文章。漢字かなカナ、パピプ ﾊﾟ", "中文abc混合123文字，标点。",
    "한국어 문장 각각 \u1112\u1161\u11ab", "ﬁ ﬂ ﬀ ½ ² ™ № ℃ Ⅷ ㎏ ①", "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ❤️ 😀😀 a😀b",
    "“quoted” ‘x’ – — … · • ° § ¶ † € £ ¥ © ®", "a\u00a0b\u2003c\u3000d\u2028e\u2029f\u202fg",
    "a\u200bb\u200cc\u200dd\ufeffe\u00adf\u2060g\ufe0fh", "a\u202eb\u061cc", "x\ufffdy \ufffd",
    "∑∫√∞≈≠≤≥→⇒∀∃ αβγ 𝕳𝖊", "═══╗ ░▒▓ ▲",
)  # fmt: skip
_ODD = (*(f"a{chr(code)}b {chr(code)} c" for code in range(0x20)), *(f"a{chr(code)}b" for code in range(0x80, 0xA1)))
_LETTERS = ("a", "7", "xq", "é", "-", "日", "e\u0301")


def counting_texts(added_tokens: Sequence[str], longest_word: int) -> list[str]:
    """A few hundred short texts; added tokens inside and beside words, and almost; words at and above the longest."""
    return [*_PROSE, *_UNICODE, *_ODD, *_with(added_tokens), *_long(longest_word)]


def _long(longest: int) -> Iterator[str]:
    for letters in _LETTERS:
        for more in (0, 1, 2):
            yield letters * (longest // len(letters)) + letters[:more] + (" end" if more else "")


def _with(added_tokens: Sequence[str]) -> Iterator[str]:
    for token in added_tokens:
        yield from (
            token,
            f"x{token}y",
            f" {token}  {token}\n",
            token.lower(),
            token[1:],
            f"{token}{token[:-1]}",
            f"ä{token}.",
        )
