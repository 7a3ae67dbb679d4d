"""Everything in the caller's thread, one window after the other."""

from concurrent.futures import Future
from functools import partial

from tasks.retry import with_retries
from tasks.runners.base import Pending
from tasks.runners.chain import Chain
from tasks.runners.pace import MOST_AT_FIRST
from tasks.runners.shards import ShardChain
from tasks.windows import Refs, Written


class InlineRunner:
    """Calls every stage here, for tests of order and to measure what the stages cost: nothing overlaps."""

    most_at_first = MOST_AT_FIRST

    def start(self, chain: Chain, window: Refs) -> Pending:
        """Return when the window is written."""
        done: Future[Written] = Future()
        chunked = with_retries(partial(chain.read, window))
        done.set_result(chain.upsert(chain.embed(chain.dedupe(chunked))))
        return done

    def hand_over(self, chain: ShardChain, window: Refs) -> Pending:
        """Return when the window is written."""
        done: Future[Written] = Future()
        done.set_result(chain.finish(with_retries(partial(chain.load, window)), window))
        return done

    def close(self) -> None:
        """Nothing is running."""
