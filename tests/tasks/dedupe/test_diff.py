"""The diff as a pure function, held against its truth tables and against a model."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.dedupe.diff import Known, diff_points, find_changes, trusted_hint
from tasks.dedupe.identity import point_id
from tasks.ledger.ledger import KnownDocument, KnownPoint
from tasks.ledger.quarantine import QuarantineEntry
from tasks.records import DocumentId, DocumentRef, FailedScope, PointId

STATES = ("PENDING", "LIVE", "DOOMED", "GONE")
KEYS = st.sampled_from(["k1", "k2", "k3", "k4"])


def held(*points: tuple[str, int, str]) -> list[KnownPoint]:
    return [KnownPoint(point_id(key, life), key, state) for key, life, state in points]


def test_a_live_point_stays() -> None:
    diff = diff_points(["a"], held(("a", 0, "LIVE")))
    assert (dict(diff.put), diff.doom) == ({}, ())


def test_a_pending_point_is_put_again_under_its_id() -> None:
    diff = diff_points(["a"], held(("a", 3, "PENDING")))
    assert diff.put == {"a": point_id("a", 3)}


def test_a_point_on_its_way_out_comes_back_in_another_life() -> None:
    for state in ("DOOMED", "GONE"):
        diff = diff_points(["a"], held(("a", 0, state), ("a", 1, "GONE")))
        assert (diff.put, diff.doom) == ({"a": point_id("a", 2)}, ())


def test_what_is_not_wanted_is_doomed_unless_it_is_leaving_already() -> None:
    points = held(("a", 0, "LIVE"), ("b", 0, "PENDING"), ("c", 0, "DOOMED"), ("d", 0, "GONE"))
    assert set(diff_points([], points).doom) == {point_id("a", 0), point_id("b", 0)}


@st.composite
def ledgers(draw: st.DrawFn) -> list[KnownPoint]:
    lives = draw(st.lists(st.tuples(KEYS, st.integers(0, 2)), unique=True, max_size=8))
    points: list[KnownPoint] = []
    present: set[str] = set()
    for key, life in lives:
        state = draw(st.sampled_from(STATES))
        if state in ("PENDING", "LIVE") and key in present:
            state = "GONE"
        if state in ("PENDING", "LIVE"):
            present.add(key)
        points += held((key, life, state))
    return points


@given(st.lists(KEYS, unique=True), ledgers())
def test_after_put_and_doom_exactly_the_wanted_points_are_there(wanted: list[str], points: list[KnownPoint]) -> None:
    diff = diff_points(wanted, points)
    after = {p.id: p.key for p in points if p.state in ("LIVE", "PENDING")}
    for point in diff.doom:
        del after[point]
    after.update({point: key for key, point in diff.put.items()})
    assert sorted(after.values()) == sorted(wanted)
    leaving = {p.id for p in points if p.state in ("DOOMED", "GONE")}
    assert not leaving & set(diff.put.values()), "an id is never used in a second life"


@given(st.lists(KEYS, unique=True), ledgers())
def test_a_second_diff_finds_nothing(wanted: list[str], points: list[KnownPoint]) -> None:
    diff = diff_points(wanted, points)
    gone = set(diff.doom)
    after = [KnownPoint(p.id, p.key, "DOOMED" if p.id in gone else p.state) for p in points]
    put = set(diff.put.values())
    after = [p for p in after if p.id not in put] + [KnownPoint(i, key, "LIVE") for key, i in diff.put.items()]
    again = diff_points(wanted, after)
    assert (dict(again.put), again.doom) == ({}, ())


def ref(name: str, hint: str = "h") -> DocumentRef:
    return DocumentRef(DocumentId(f"s:{name}"), "s", name, hint)


def known(version: str | None = "v", hint: str = "h") -> KnownDocument:
    return KnownDocument(version, trusted_hint("shape", hint), "s", 1, 10)


def test_documents_are_sorted_as_the_table_says() -> None:
    before = {
        DocumentId("s:same"): known(),
        DocumentId("s:dirty"): known(version=None),
        DocumentId("s:edited"): known(),
        DocumentId("s:vague"): known(hint=""),
        DocumentId("s:gone"): known(),
        DocumentId("s:far/away"): known(),
    }
    listed = [ref("same"), ref("dirty"), ref("edited", "other"), ref("vague", ""), ref("new")]
    changes = find_changes(listed, Known(before), [FailedScope("s:far/", "")], "shape")
    assert [one.path for one in changes.unchanged] == ["same"]
    assert [one.path for one in changes.to_read] == ["dirty", "edited", "vague", "new"]
    assert changes.missing == ("s:gone",)
    assert changes.unknown == ("s:far/away",)


def test_another_shape_trusts_no_hint() -> None:
    changes = find_changes([ref("same")], Known({DocumentId("s:same"): known()}), [], "other")
    assert [one.path for one in changes.to_read] == ["same"]


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")), st.sampled_from(["", "s:", "s:a"]))
def test_no_document_is_lost_or_counted_twice(listed: set[str], before: set[str], prefix: str) -> None:
    failed = [FailedScope(prefix, "")] if prefix else []
    changes = find_changes(
        [ref(name) for name in sorted(listed)],
        Known({DocumentId(f"s:{name}"): known() for name in before}),
        failed,
        "shape",
    )
    seen: list[PointId | str] = [r.path for r in (*changes.unchanged, *changes.to_read)]
    gone = [document.removeprefix("s:") for document in (*changes.missing, *changes.unknown)]
    assert sorted([*seen, *gone]) == sorted(listed | before)
    assert set(changes.missing).isdisjoint(changes.unknown)


def test_a_quarantined_document_is_left_alone_until_it_changes_or_is_due() -> None:
    def entry(hint: str = "h", *, is_due: bool = False) -> QuarantineEntry:
        return QuarantineEntry("binary", "", trusted_hint("shape", hint), "", is_due)

    listed = [ref("same"), ref("edited", "other"), ref("due"), ref("vague", "")]
    quarantine = {
        DocumentId("s:same"): entry(),
        DocumentId("s:edited"): entry(),
        DocumentId("s:due"): entry(is_due=True),
        DocumentId("s:vague"): entry(""),
    }
    changes = find_changes(listed, Known({DocumentId("s:same"): known()}, quarantine), [], "shape")
    assert [one.path for one in changes.quarantined] == ["same"]
    assert [one.path for one in changes.to_read] == ["edited", "due", "vague"]
    assert changes.missing == ()
    assert [one.path for one in find_changes(listed, Known({}, quarantine), [], "another shape").quarantined] == []
