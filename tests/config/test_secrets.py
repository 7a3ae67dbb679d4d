"""A secret stands in no configuration file, and shows in no message about one."""

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.read import read_pipeline

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


def test_a_password_in_a_url_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "x")
    with pytest.raises(ConfigError, match=r"p\.yaml:5: state: a secret is written here") as caught:
        read_pipeline(written(tmp_path, state="postgresql://me:canary@host/db"))
    assert "canary" not in str(caught.value)
    for state in ("postgresql://me@host/db", "'postgresql://me:${KEY}@host/db'", "'${KEY}'"):
        assert read_pipeline(written(tmp_path, state=state)).state


def test_a_secret_block_needs_a_prefect_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the secret 'openai' is kept by Prefect.*PREFECT_API_URL"):
        read_pipeline(written(tmp_path, "${secret:openai}"))


def test_a_tag_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: !!python/object/apply:os.system ['touch owned']\n")
    with pytest.raises(ConfigError):
        read_pipeline(path)
    assert not Path("owned").exists()
