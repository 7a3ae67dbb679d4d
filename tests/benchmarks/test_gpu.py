"""The benchmark for GPUs, as far as it can be tried out without one."""

import pytest

from tests.benchmarks.gpu import SHAPES, main

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_each_shape_is_compared_with_its_own_forward_pass(capsys: pytest.CaptureFixture[str]) -> None:
    lines = main(["--device", "cpu", "--tiny", "--texts", "12"])
    assert [line.partition(":")[0] for line in lines] == list(SHAPES)
    assert all("of it (aim 0.8); torch, float32, cpu" in line for line in lines)
    assert capsys.readouterr().out.splitlines()[-3:] == lines


def test_another_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--models", "gpt"])
    assert "minilm" in capsys.readouterr().err
