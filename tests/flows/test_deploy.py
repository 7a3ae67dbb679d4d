"""`headrace deploy` without a server: what is wrong is told before anything is asked. With one: test_prefect.py."""

import pytest

from tests.conftest import Pipeline


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cron", "61 * * * *"], "Invalid cron string"),
        (["--cron", "every day"], "Invalid cron string"),
        (["--cron", ""], "Invalid cron string"),
        (["--cron", "0 0 31 2 *"], "it never comes"),
        (["--cron", "0 * * * *", "--timezone", "Europe/Berln"], "Invalid timezone"),
        (["--timezone", "Europe/Berlin"], "--timezone is for --cron"),
        (["--interval", "5"], "is no length of time"),
        (["--interval", "9s"], "from 10s to 366d"),
        (["--interval", "99999d"], "from 10s to 366d"),
        (["--interval", "15m", "--cron", "0 * * * *"], "does not go together with"),
        (["--evaluate-every", "1d"], "--evaluate-every: no queries are named"),
        ([], "no Prefect server is set, so nobody would run 'trial'"),
        (["--cron", "*/15 * * * *", "--timezone", "Europe/Berlin"], "no Prefect server is set"),
    ],
)
def test_a_deployment_that_would_not_run_is_refused_with_the_cause(
    pipeline: Pipeline, options: list[str], words: str
) -> None:
    done = pipeline.run("deploy", str(pipeline.config), *options, "--json")
    assert done.code == 2
    assert words in done.json["error"]


def test_a_pipeline_that_cannot_be_read_is_not_deployed(pipeline: Pipeline) -> None:
    pipeline.config.write_text("name: [")
    assert pipeline.run("deploy", str(pipeline.config)).code == 2
