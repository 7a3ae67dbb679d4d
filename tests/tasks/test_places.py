"""Where a part of a text stands in its file."""

from tasks.places import Place, Places

PAGES = (Place(0, "page", 1), Place(10, "page", 2), Place(20, "page", 4))


def test_a_part_stands_on_every_page_that_it_touches() -> None:
    between = Places(PAGES).between
    assert between(0, 10) == {"page": [1]}
    assert between(0, 11) == {"page": [1, 2]}
    assert between(9, 21) == {"page": [1, 2, 4]}
    assert between(10, 20) == {"page": [2]}
    assert between(25, 99) == {"page": [4]}


def test_a_text_without_places_has_none() -> None:
    assert Places(()).between(0, 10) == {}
    assert Places((Place(10, "slide", 1),)).between(0, 10) == {}


def test_cells_and_times_are_one_range() -> None:
    rows = [Place(10 * row, "cells", f"A{row}:F{row}") for row in range(1, 5)]
    assert Places(rows).between(20, 45) == {"cells": "A2:F4"}
    ragged = [Place(0, "cells", "B2:AA2"), Place(5, "cells", "A3:C3"), Place(9, "cells", "D10")]
    assert Places(ragged).between(0, 12) == {"cells": "A2:AA10"}
    assert Places([Place(0, "cells", "B7")]).between(0, 5) == {"cells": "B7"}
    times = [Place(0, "time", "00:00:01.000 --> 00:00:02.000"), Place(9, "time", "00:00:02.000 --> 00:00:04.500")]
    assert Places(times).between(0, 12) == {"time": "00:00:01.000 --> 00:00:04.500"}


def test_rectangles_are_one_for_each_page() -> None:
    lines = ("1 72 700 300 712", "1 72 680 320 692", "2 72 700.5 100 712")
    places = [Place(10 * line, "rectangle", value) for line, value in enumerate(lines)]
    assert Places(places).between(0, 25) == {"rectangle": ["1 72 680 320 712", "2 72 700.5 100 712"]}
