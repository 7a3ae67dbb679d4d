"""A secret stands in no configuration file, and shows in no message about one."""

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.fields import public_url
from config.read import read_pipeline
from config.secrets import refuse_written_secrets
from config.yaml_file import read_yaml

FILE = """\
name: p
sources: [{{kind: files, path: docs}}]
embedder: {{kind: openai, api_key: '{key}'}}
store: {{kind: memory}}
state: {state}
"""
STATE = "sqlite:///x.db"


def written(folder: Path, key: str = "${KEY}", state: str = STATE) -> Path:
    path = folder / "p.yaml"
    path.write_text(FILE.format(key=key, state=state))
    return path


@pytest.mark.parametrize("key", ["sk-canary", "${KEY:-sk-canary}", "sk-canary${KEY}"])
def test_a_key_in_the_file_is_refused_and_not_repeated(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "x")
    with pytest.raises(ConfigError, match=r"p\.yaml:3: embedder\.api_key: a secret is written here") as caught:
        read_pipeline(written(tmp_path, key))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "embedder: {kind: openai, apikey: canary}",
        "embedder: {kind: langchain, class: a.B, dimensions: 8, arguments: {hf_token: canary}}",
        "headers: {Authorization: Bearer canary}",
        "headers: {X-Api-Key: '${KEY:-canary}'}",
    ],
)
def test_a_key_in_a_setting_of_any_name_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(line)
    with pytest.raises(ConfigError, match=r"p\.yaml:1: .*a secret is written here") as caught:
        refuse_written_secrets(read_yaml(path))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "headers: {Authorization: 'Bearer ${KEY}'}",
        "store: {filter_fields: {customer_key: keyword}}",
        "sources: [{metadata: {token: a word}}]",
        "embedder: {tokenizer: estimate, monkey: business}",
    ],
)
def test_what_is_named_like_a_key_and_is_none_is_left_alone(tmp_path: Path, line: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(line)
    refuse_written_secrets(read_yaml(path))


def test_a_password_in_a_url_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "x")
    with pytest.raises(ConfigError, match=r"p\.yaml:5: state: a secret is written here") as caught:
        read_pipeline(written(tmp_path, state="postgresql://me:canary@host/db"))
    assert "canary" not in str(caught.value)
    for state in ("postgresql://me@host/db", "'postgresql://me:${KEY}@host/db'", "'${KEY}'"):
        assert read_pipeline(written(tmp_path, state=state)).state


SECRET_URLS = [
    "https://canary-token@host/v1",
    "https://canary:@host/v1",
    "https://me:canary@host/v1",
    "https://host/v1?key=canary",
    "https://host/v1?api-version=1&api_key=canary",
    "https://host/v1?API-KEY=canary&x=1",
    "https://host/v1?access_token=canary#top",
    "https://host/v1?subscription-key=canary",
    "https://host/v1?X-Amz-Signature=canary",
    "https://host/v1?sig=canary",
    "https://host/v1?openai_api_key=canary",
    "https://host/v1?hfToken=canary",
    "https://host/v1?api%5Fkey=canary",
    "https://host/v1?%61pi-key=canary&x=1",
    "https://host/v1?api_key[]=canary",
    "https://host/v1?x=1;apikey=canary",
    "https://host/v1;token=canary",
    "https://host/v1#access_token=canary",
    "https://host/v1?auth=canary",
    "https://host/v1?jwt=canary",
    "https://host/v1?pass=canary",
    "https://host/v1?licenseKey=canary",
]


@pytest.mark.parametrize("url", SECRET_URLS)
def test_a_key_in_any_part_of_a_url_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    path = tmp_path / "p.yaml"
    for section, field in (("embedder: {kind: openai, base_url: '%s'}", "embedder.base_url"), ("state: '%s'", "state")):
        path.write_text(f"name: p\nsources: [{{kind: files, path: docs}}]\nstore: {{kind: memory}}\n{section % url}\n")
        with pytest.raises(ConfigError, match=rf"p\.yaml:4: {field}: a secret is written here.*\$\{{NAME\}}") as caught:
            read_pipeline(path)
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("url", SECRET_URLS)
def test_what_shows_of_a_url_is_no_key(url: str) -> None:
    assert "canary" not in public_url(url)
    assert public_url(url).startswith("https://host/v1")


@pytest.mark.parametrize(
    "url",
    [
        "https://host/v1?api-version=1&monkey=2&author=a&passage=3#keys",
        "https://host/a@b/c:d@e",
        "https://host:80/v1",
        "host",
        "a?key=b",
    ],
)
def test_a_url_without_a_key_is_left_alone(tmp_path: Path, url: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"name: p\nsources: [{{kind: files, path: '{url}'}}]\nstore: {{kind: memory}}\n")
    refuse_written_secrets(read_yaml(path))


def test_a_key_from_the_environment_may_stand_in_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "canary")
    path = tmp_path / "p.yaml"
    for url in ("https://${KEY}@host/v1", "https://host/v1?key=${KEY}&api-version=1"):
        section = f"embedder: {{kind: openai, base_url: '{url}'}}"
        path.write_text(f"name: p\nsources: [{{kind: files, path: docs}}]\nstore: {{kind: memory}}\n{section}\n")
        assert "canary" not in str(read_pipeline(path).embedder.recorded())


def test_a_secret_block_needs_a_prefect_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the secret 'openai' is kept by Prefect.*PREFECT_API_URL"):
        read_pipeline(written(tmp_path, "${secret:openai}"))


def test_a_tag_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: !!python/object/apply:os.system ['touch owned']\n")
    with pytest.raises(ConfigError):
        read_pipeline(path)
    assert not Path("owned").exists()
