"""What commands of LaTeX stand for."""

import re
from collections.abc import Mapping

LEVELS = {
    "part": 1,
    "chapter": 1,
    "section": 2,
    "subsection": 3,
    "subsubsection": 4,
    "paragraph": 5,
    "subparagraph": 6,
}
ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307",
           "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328", "r": "\u030a",
           "d": "\u0323"}  # fmt: skip
SYMBOLS = {"ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å",
           "l": "ł", "L": "Ł", "i": "i", "j": "j", "dots": "…", "ldots": "…", "textbackslash": "\\", "LaTeX": "LaTeX",
           "TeX": "TeX", "copyright": "©", "textregistered": "®", "texttrademark": "™", "textdegree": "°", "euro": "€",
           "texteuro": "€", "pounds": "£", "S": "§", "P": "¶", "textasciitilde": "~", "textasciicircum": "^",
           "textbar": "|", "textless": "<", "textgreater": ">", "quad": " ", "qquad": " ", "newline": "\n",
           "par": "\n\n", "linebreak": "\n", "item": "\n- ", "textendash": "\u2013", "textemdash": "—",
           "pico": "p", "nano": "n", "micro": "µ", "milli": "m", "centi": "c", "deci": "d", "kilo": "k", "mega": "M",
           "giga": "G", "tera": "T", "gram": "g", "metre": "m", "meter": "m", "second": "s", "minute": "min",
           "hour": "h", "ampere": "A", "volt": "V", "watt": "W", "ohm": "Ω", "hertz": "Hz", "newton": "N",
           "pascal": "Pa", "bar": "bar", "joule": "J", "kelvin": "K", "celsius": "°C", "degreeCelsius": "°C",
           "degree": "°", "litre": "l", "liter": "l", "tonne": "t", "mole": "mol", "percent": "%", "byte": "B",
           "and": ", ", "per": "/", "squared": "^2", "cubed": "^3"}  # fmt: skip
# What stands between the arguments of these.
BETWEEN = {
    **dict.fromkeys(("nicefrac", "sfrac", "textfrac", "frac", "dfrac", "tfrac"), ("/",)),
    **dict.fromkeys(("SI", "qty"), (" ",)),
    **dict.fromkeys(("SIrange", "qtyrange"), (" to ", " ")),
    "numrange": (" to ",),
}
PLAIN = {"---": "—", "--": "\u2013", "``": '"', "''": '"', "~": " ", "{": "", "}": ""}
# What these are given is no text: names of files, keys, lengths, settings.
SILENT = re.compile(
    r"label|usepackage|documentclass|bibliographystyle|pagestyle|thispagestyle|[vh]space|setlength|addtolength"
    r"|setcounter|addtocounter|pagenumbering|(?:re)?newcommand|providecommand|index|definecolor|hypersetup|graphicspath"
    r"|bibliography|addbibresource|[vh]?phantom|newtheorem|theoremstyle|cline|cmidrule|fontsize|selectlanguage|nocite"
    r"|captionsetup|input|include|includegraphics|subfile|lstinputlisting|verbatiminput|markboth|title|author|date"
    r"|rule|color|pagecolor|addcontentsline|lstset|sisetup|geometry|setlist|tcbset|pgfplotsset|usetikzlibrary|hyphenation"
)
# So many of their arguments, and the last one is.
LEADING = {
    "href": 1,
    "mintinline": 1,
    "textcolor": 1,
    "colorbox": 1,
    "multicolumn": 2,
    "multirow": 2,
    "parbox": 1,
    "raisebox": 1,
    "fcolorbox": 2,
    "resizebox": 2,
    "scalebox": 1,
    "rotatebox": 1,
}
DEFINING = re.compile(
    r"(?:re)?newcommand|providecommand|(?:set|addto)(?:length|counter)|definecolor|newtheorem|markboth|rule|addcontentsline"
)
# So many arguments of an environment are no text.
SETTINGS = {"tabular": 1, "tabular*": 2, "tabularx": 2, "array": 1, "longtable": 1, "tabulary": 2,
            "supertabular": 1, "tblr": 1, "minipage": 1, "multicols": 1,
            "thebibliography": 1, "wrapfigure": 2, "adjustbox": 1}  # fmt: skip
_THEOREMS = {
    name.lower(): name
    for name in ("Theorem", "Lemma", "Proposition", "Corollary", "Definition", "Remark", "Example", "Proof")
}
TABLES = {"tabular", "tabular*", "tabularx", "tabulary", "longtable", "supertabular", "tblr"}
MARKS = {mark: mark for mark in "%$&#_{} \n"}
FILES = re.compile(r"input|include|subfile|lstinputlisting|verbatiminput")
_THEOREM = re.compile(r"\\newtheorem\*?\{([^{}\\\n]+)\}(?:\[[^\[\]\n]*\])?\{([^{}\\\n]+)\}")


def theorems_in(text: str) -> Mapping[str, str]:
    """What the usual theorems and those that a document defines are called, by the names of their environments."""
    return {**_THEOREMS, **{found[1]: found[2] for found in _THEOREM.finditer(text)}}
