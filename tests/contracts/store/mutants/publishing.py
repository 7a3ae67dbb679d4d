"""Bugs of the published name, and of dropping."""

from tasks.upsert.base import Place
from tests.contracts.store import publishing
from tests.contracts.store.mutants.breaks import breaks
from tests.contracts.store.toy import ToyStore


@breaks(publishing.a_name_leads_to_the_collection_that_was_published_last)
class FirstPublished(ToyStore):
    """The name stays where it led first."""

    def publish(self, name: str, /) -> None:
        if self.place(name).published is None:
            super().publish(name)


@breaks(publishing.a_name_leads_to_the_collection_that_was_published_last)
class EveryNameLeadsHere(ToyStore):
    """Names that nobody published lead to the collection that is asked."""

    def place(self, name: str, /) -> Place:
        place = super().place(name)
        return Place(place.address, place.collection, place.published or self.path.stem)


@breaks(publishing.a_name_leads_to_the_collection_that_was_published_last)
class PublishedInThisProcess(ToyStore):
    """The name is forgotten when the store is closed."""

    names: dict[str, str]

    def publish(self, name: str, /) -> None:
        self.names = {name: self.path.stem}

    def place(self, name: str, /) -> Place:
        place = super().place(name)
        return Place(place.address, place.collection, getattr(self, "names", {}).get(name))


@breaks(publishing.no_name_leads_to_a_collection_that_is_not_there)
class LeadsNowhere(ToyStore):
    """A name may lead to what is not there."""

    def publish(self, name: str, /) -> None:
        self.path.with_name(f"{name}.pointer").write_text(self.path.stem)


@breaks(publishing.a_dropped_collection_is_gone_with_all_it_held)
class DropKeepsTheMark(ToyStore):
    """Records are deleted, and the sentinel stays."""

    def drop(self) -> None:
        self.delete(list(self.records))


@breaks(publishing.a_dropped_collection_is_gone_with_all_it_held)
class DropFailsTwice(ToyStore):
    """A collection that is gone cannot be dropped."""

    def drop(self) -> None:
        if not self.opened():
            raise FileNotFoundError(self.path)
        super().drop()


@breaks(publishing.a_drop_leaves_other_collections_alone)
class DropsByItsBeginning(ToyStore):
    """Collections whose names begin alike go along."""

    def drop(self) -> None:
        super().drop()
        for path in self.path.parent.glob(f"{self.path.stem}*.jsonl"):
            path.unlink()
