"""What deploy/ names exists: no container is built here."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.options import SyncOptions
from config.read import read_pipeline
from config.sources import FilesSource

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def parsed(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


DEPLOYMENTS: list[dict[str, Any]] = parsed("prefect.yaml")["deployments"]
SERVICES: dict[str, dict[str, Any]] = parsed("compose.yaml")["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def words(service: dict[str, Any]) -> list[str]:
    command = service["command"]
    return command.replace('"', "").split() if isinstance(command, str) else command


def after(option: str, service: dict[str, Any]) -> str:
    return words(service)[words(service).index(option) + 1]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_a_deployment_starts_a_flow_that_exists_with_parameters_it_takes(deployment: dict[str, Any]) -> None:
    file, _, name = deployment["entrypoint"].partition(":")
    tree = ast.parse((REPOSITORY / file).read_text())
    flow = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    assert any("flow" in ast.unparse(decorator) for decorator in flow.decorator_list)
    assert set(deployment["parameters"]) == {argument.arg for argument in flow.args.args}
    assert read_pipeline(REPOSITORY / deployment["parameters"]["config"]).name == "quickstart"
    SyncOptions.model_validate(deployment["parameters"]["options"])


def test_the_examples_that_make_server_registers_have_something_to_read() -> None:
    (names,) = re.findall(r"^EXAMPLES = \((.+)\)$", (DEPLOY / "server.py").read_text(), re.MULTILINE)
    for name in names.replace('"', "").split(", "):
        file = REPOSITORY / f"config/examples/{name}.yaml"
        for source in read_pipeline(file).sources:
            assert isinstance(source, FilesSource)
            assert (file.parent / source.path / "README.md").exists()


def test_each_event_is_told_once_with_what_it_holds() -> None:
    alerts = parsed("automations.yaml")["automations"]
    heard = [name for one in alerts if one["trigger"]["posture"] == "Reactive" for name in one["trigger"]["expect"]]
    assert len(heard) == len(set(heard)) > 5
    bodies = " ".join(action["body"] for one in alerts for action in one["actions"])
    assert set(re.findall(r"event\.payload\.(\w+)", bodies)) == {"notes", "documents"}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_only_the_lease_refuses_a_second_run(deployment: dict[str, Any]) -> None:
    assert "concurrency_limit" not in deployment
    assert "concurrency_limit" not in deployment["work_pool"]


def test_the_worker_works_the_pool_that_the_deployments_ask_for() -> None:
    pools = {deployment["work_pool"]["name"] for deployment in DEPLOYMENTS}
    assert pools == {after("--pool", SERVICES["worker"])} == {after("create", SERVICES["deploy"])}


def test_the_folder_that_a_run_starts_in_is_known_to_the_worker() -> None:
    (step,) = parsed("prefect.yaml")["pull"]
    (inputs,) = step.values()
    variable = re.fullmatch(r"\{\{ \$(\w+) \}\}", inputs["directory"])
    assert variable is not None
    home = re.search(rf"{variable[1]}=(\S+)", DOCKERFILE)
    assert home is not None
    assert f"WORKDIR {home[1]}\n" in DOCKERFILE


def test_compose_builds_and_deploys_from_files_that_exist() -> None:
    for service in OURS.values():
        context = (DEPLOY / service["build"]["context"]).resolve()
        assert context == REPOSITORY
        assert (context / service["build"]["dockerfile"]).is_file()
    assert (REPOSITORY / after("--prefect-file", SERVICES["deploy"])).is_file()


def test_what_must_survive_a_container_lies_in_a_volume_its_user_may_write() -> None:
    def mounts(services: dict[str, dict[str, Any]]) -> list[list[str]]:
        return [mount.split(":") for service in services.values() for mount in service.get("volumes", [])]

    assert {volume for volume, _ in mounts(SERVICES)} == set(parsed("compose.yaml")["volumes"])
    owned = re.search(r"install --directory --owner headrace --group headrace (.+)", DOCKERFILE)
    assert owned is not None
    assert {target for _, target in mounts(OURS)} == set(owned[1].split())


def test_the_server_is_open_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_copies_files_that_exist_and_runs_as_an_ordinary_user() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \./?$", DOCKERFILE, re.MULTILINE)
    assert len(copied) == 2
    assert all((REPOSITORY / name).exists() for names in copied for name in names.split())
    assert re.findall(r"^USER (\w+)", DOCKERFILE, re.MULTILINE) == ["headrace"]


def test_the_image_leaves_out_what_git_does_not_keep() -> None:
    left_out = set((REPOSITORY / ".dockerignore").read_text().split())
    for name in (".git", ".venv", ".headrace"):
        assert name in left_out
