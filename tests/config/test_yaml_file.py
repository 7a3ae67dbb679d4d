"""A file that cannot be a configuration is refused with line and column."""

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.yaml_file import read_yaml


def refusal(tmp_path: Path, data: str | bytes) -> str:
    """The message, without the folder of the test."""
    path = tmp_path / "p.yaml"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("name: a\n\tx: 1\n", "p.yaml:2:1: not valid YAML: .*; indent with spaces, never with tabs"),
        ("name: a\nsources: [\n", "p.yaml:3:1: not valid YAML: while parsing a flow node, expected the node content"),
        ("name: a\nb: *c\n", "p.yaml:2:4: not valid YAML: found undefined alias 'c'"),
        ("a: 1\n---\nb: 2\n", "p.yaml:2:1: not valid YAML: expected a single document"),
        ("a: !!python/object:os.system x\n", "p.yaml:1:4: not valid YAML: could not determine a constructor"),
        ('a: 1\nb: "\x00"\n', "p.yaml:2: not valid YAML: special characters are not allowed"),
        ("a: 2024-99-99\n", "p.yaml: not valid YAML: month must be .*; put text that looks like a date into quotes"),
        ("a: &a [*a]\n", "p.yaml is nested too deeply, or contains itself"),
        (b"a: 1\nb: caf\xe9\n", "p.yaml:2: byte 0xe9 is not UTF-8; save it as UTF-8"),
        ("", "p.yaml is empty; expected a mapping with name, sources, embedder and store, as `headrace init` writes"),
        ("# nothing\n", "p.yaml is empty"),
        ("\n- a\n", "p.yaml:2: this is a list; expected a mapping"),
        ("just words", "p.yaml:1: this is a single value; expected a mapping"),
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", "p.yaml:5: the key 'c' stands here a second time; keep one"),
        ("a:\n- {b: 1, c: 2, b: 3}\n", "p.yaml:2: the key 'b' stands here a second time; keep one"),
    ],
)
def test_the_message_says_where_and_what(tmp_path: Path, data: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        raise ConfigError(refusal(tmp_path, data))


def test_a_missing_file_and_a_folder_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file; `headrace init FOLDER` writes one"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=rf"is a folder; expected a YAML file, `headrace init {tmp_path}` writes one"):
        read_yaml(tmp_path)
    (tmp_path / "headrace.yaml").touch()
    with pytest.raises(ConfigError, match=rf"is a folder; expected a YAML file, give {tmp_path}/headrace\.yaml"):
        read_yaml(tmp_path)


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file/p\.yaml cannot be read: Not a directory"):
        read_yaml(tmp_path / "file" / "p.yaml")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: a\n")
    assert read_yaml(path).content == {"name": "a"}


def test_a_line_is_that_of_the_key_or_of_what_stands_round_it(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("# comment\nname: a\nsources:\n  - kind: files\n    path: x\n  -\n    path: y\nstore:\n  kind: z\n")
    file = read_yaml(path)
    assert file.line(()) == 2
    assert file.line(("sources",)) == 3
    assert file.line(("sources", 0)) == 4
    assert file.line(("sources", 0, "path")) == 5
    assert file.line(("sources", 1, "path")) == 7
    assert file.line(("sources", 0, "name")) == 4
    assert file.line(("sources", 9, "path")) == 3
    assert file.line(("store", "kind")) == 9
    assert file.line(("embedder", "kind")) == 2
    assert file.place(("sources", 1, "path")) == f"{path}:7: sources[1].path"


def test_a_value_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("a: [{b: 1}, 2]\n")
    file = read_yaml(path)
    assert (file.at(("a", 0, "b")), file.at(("a", 1)), file.at(("a", 2)), file.at(("a", 1, "b"))) == (1, 2, None, None)
