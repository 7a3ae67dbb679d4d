"""What loading and chunking both know of Markdown."""


def heading_text(rest: str) -> str:
    """What stands after the number signs of a heading; such signs may close it, but alone they are its text."""
    text = rest.strip(" \t")
    if text.endswith("#"):
        open_text = text.rstrip("#")
        if open_text.endswith((" ", "\t")):
            text = open_text
    return text.strip()
