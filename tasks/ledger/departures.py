"""How many documents left in the last days: the guard's memory."""

from tasks.ledger.ledger import Ledger

MINUTE_SECONDS = 60.0
WEEK_SECONDS = 7 * 86_400.0


def remember_departure(ledger: Ledger, documents: int, now: float) -> None:
    """So many documents lost their content; one row a minute, and none further back than the guard looks."""
    minute = now - now % MINUTE_SECONDS
    with ledger.fenced("departure") as transaction:
        known = transaction.execute("UPDATE departure SET documents = documents + ? WHERE at = ?", (documents, minute))
        if not known.rowcount:
            transaction.execute("INSERT INTO departure (at, documents) VALUES (?, ?)", (minute, documents))
        transaction.execute("DELETE FROM departure WHERE at < ?", (now - WEEK_SECONDS,))


def departed(ledger: Ledger, now: float) -> int:
    """Documents that left in the last seven days without a person's word."""
    with ledger.database.read() as transaction:
        sql = "SELECT SUM(documents) FROM departure WHERE at >= ? AND at <= ?"
        return int(transaction.execute(sql, (now - WEEK_SECONDS, now)).scalar() or 0)
