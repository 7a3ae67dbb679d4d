"""`headrace deploy`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.arguments import add_config, interval
from tasks.console.answer import Answer

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.actions import DeploymentScheduleCreate

SUMMARY = "register the pipeline with Prefect: forms, and a schedule"
HOME = Path(__file__).parents[2]
WEBHOOK_BODY = '{"parameters": {"options": {"wait": true}}}'  # a run at work may have passed by what has just changed
FLOWS = ("sync", "verify", "rebuild", "evaluate", "watch")


def add_arguments(parser: ArgumentParser, /) -> None:
    """Asks when it runs, where, and who hears of what goes wrong."""
    add_config(parser)
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--cron", metavar='"0 * * * *"', help="sync at these times; UTC, but see --timezone")
    when.add_argument("--interval", type=interval, metavar="15m", help="sync so often: 90s, 15m, 6h or 1d")
    parser.add_argument("--timezone", metavar="NAME", help="of --cron, such as Europe/Berlin")
    parser.add_argument(
        "--evaluate-every",
        type=interval,
        metavar="1d",
        help="measure so often how well the index answers the queries of `quality`; a drop is an event",
    )
    parser.add_argument("--work-pool", default="headrace", metavar="NAME", help="default: headrace; made if missing")
    parser.add_argument(
        "--alert", metavar="BLOCK", help="a notification block, such as slack-webhook/ops, that hears of alerts"
    )


def run(options: Namespace, /) -> Answer:
    """Registers `sync/NAME` and the other flows under that name, again where they are registered."""
    from config.errors import ConfigError
    from config.prefect_api import configured_api
    from config.read import read_pipeline
    from flows.commands.sync import say
    from tasks.runners.prefect_server import await_server, meaning

    config = Path(options.config).absolute()
    pipeline = read_pipeline(config)
    name = pipeline.name
    if options.evaluate_every and pipeline.quality is None:
        raise ConfigError(
            "--evaluate-every: no queries are named; expected `quality: {queries: …, qrels: …}` in the configuration"
        )
    schedules = {"sync": _schedule(options), "evaluate": _every(options.evaluate_every)}
    api = configured_api()
    if api is None:
        raise ConfigError(f"no Prefect server is set, so nobody would run {name!r}. {_REMEDY}")
    await_server(api, say, _REMEDY)
    try:
        registered = _register(config, name, options.work_pool, schedules)
        alerts = _apply_alerts(options.alert) if options.alert else []
    except Exception as error:
        if (ours := meaning(error, _REMEDY)) is None:
            raise
        raise ours from error
    shape = {
        "deployment": f"sync/{name}",
        "deployments": registered,
        "work_pool": options.work_pool,
        "schedule": options.cron or _told(options.interval),
        "evaluated": _told(options.evaluate_every),
        "webhook": f"/deployments/{registered[f'sync/{name}']}/create_flow_run",
        "alerts": alerts,
    }
    return Answer(shape, _text(shape))


_REMEDY = "Start one (`prefect server start`, or `make server`), and set PREFECT_API_URL=http://127.0.0.1:4200/api"


def _schedule(options: Namespace) -> "Sequence[DeploymentScheduleCreate]":
    """ConfigError for times that are none, or never come."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    from config.errors import ConfigError

    if options.timezone and not options.cron:
        raise ConfigError("--timezone is for --cron; expected both, or neither")
    if options.cron is None:
        return _every(options.interval)
    cron: Any = import_module("prefect._vendor.croniter")  # what Prefect reads them with; it has no types
    try:
        at = CronSchedule(cron=options.cron, timezone=options.timezone or "UTC")
        cron.croniter(options.cron).get_next()
    except (ValidationError, cron.CroniterBadDateError) as error:
        cause = "it never comes"
        if isinstance(error, ValidationError):
            cause = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"--cron {options.cron!r}: {cause}; expected minute, hour, day, month and weekday, such as '0 * * * *' for"
            " every hour or '30 6 * * 1-5', and for --timezone a name such as Europe/Berlin"
        ) from error
    return [DeploymentScheduleCreate(schedule=at, active=True)]


def _every(seconds: float | None) -> "Sequence[DeploymentScheduleCreate]":
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import IntervalSchedule

    if not seconds:
        return []
    every = IntervalSchedule(interval=timedelta(seconds=seconds))
    return [DeploymentScheduleCreate(schedule=every, active=True)]


def _told(seconds: float | None) -> str | None:
    return f"every {seconds:g} s" if seconds else None


def _register(
    config: Path, name: str, pool: str, schedules: "Mapping[str, Sequence[DeploymentScheduleCreate]]"
) -> dict[str, str]:
    """The deployments' ids; those that are registered already are brought up to date."""
    from prefect.client.orchestration import get_client
    from prefect.utilities.callables import parameter_schema

    ids: dict[str, str] = {}
    with get_client(sync_client=True) as client:
        _make_pool(client, pool)
        for flow in FLOWS:
            function: Any = getattr(import_module(f"flows.{flow}"), flow)
            made = client.create_deployment(
                flow_id=client.create_flow(function),
                name=name,
                description=function.description,
                entrypoint=f"flows/{flow}.py:{flow}",
                path=str(HOME),
                pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(HOME)}}],
                parameters={"config": str(config), "options": {}},
                parameter_openapi_schema=parameter_schema(function).model_dump(exclude_unset=True),
                enforce_parameter_schema=True,
                schedules=[*schedules.get(flow, ())],
                tags=["headrace"],
                work_pool_name=pool,
            )
            ids[f"{flow}/{name}"] = str(made)
    return ids


def _make_pool(client: "SyncPrefectClient", name: str) -> None:
    """A pool of processes, where there is none of this name; another kind of pool stays as it is."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound

    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=name, type="process"))


def _apply_alerts(block: str) -> list[str]:
    """Makes or renews the automations of deploy/automations.yaml, with this block for whoever is to hear of them."""
    import yaml
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.automations import AutomationCore
    from prefect.exceptions import ObjectNotFound

    from config.errors import ConfigError

    kind, _, name = block.partition("/")
    file: Mapping[str, Any] = yaml.safe_load((HOME / "deploy" / "automations.yaml").read_text())
    with get_client(sync_client=True) as client:
        try:
            document = client.read_block_document_by_name(name, kind)
        except ObjectNotFound as error:
            raise ConfigError(
                f"--alert {block!r}: Prefect has no such block; expected KIND/NAME of one on the page Blocks, such as"
                " slack-webhook/ops"
            ) from error
        for one in file["automations"]:
            for action in one["actions"]:
                action["block_document_id"] = str(document.id)
            automation = AutomationCore.model_validate(one)
            known = client.read_automations_by_name(automation.name)
            if known:
                client.update_automation(known[0].id, automation)
            else:
                client.create_automation(automation)
    return [one["name"] for one in file["automations"]]


def _text(shape: Mapping[str, Any]) -> str:
    when = {"sync": shape["schedule"], "evaluate": shape["evaluated"]}
    lines = [
        *(
            f"{name} is registered, runs: {when.get(name.partition('/')[0]) or 'when somebody starts it'}"
            for name in shape["deployments"]
        ),
        *(f"alert: {name}" for name in shape["alerts"]),
        f"A worker runs them: prefect worker start --pool {shape['work_pool']}",
        f"To start one now: prefect deployment run {shape['deployment']}",
        "To start one from elsewhere, when something has changed:",
        f"  curl -H 'Content-Type: application/json' -d '{WEBHOOK_BODY}' \"$PREFECT_API_URL{shape['webhook']}\"",
    ]
    return "\n".join(lines)
