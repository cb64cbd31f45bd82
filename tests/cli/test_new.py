"""From nothing to a plugin that keeps the contract, and the mistakes on the way."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchbench.api import API_VERSION
from benchbench.cli.main import main
from benchbench.cli.new import TYPES, plugin_files
from benchbench.registry import Registry


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    printed = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, printed.out, printed.err


def test_a_file_is_written_and_the_next_commands_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = ran(capsys, "new", "my-flow", "--single-file")
    assert code == 0
    assert "bench check my-flow --plugin my_flow.py" in out
    assert "bench run --models my-flow,vae --datasets grid25 --plugin my_flow.py" in out
    spec = Registry.load(["my_flow.py"]).model("my-flow").spec
    assert spec.kinds == {"points", "image", "signal"}
    assert f"api_version={API_VERSION}" in Path("my_flow.py").read_text()


def test_a_package_registers_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys, "new", "my-flow")
    assert code == 0
    assert "pip install -e my-flow" in out
    project = tomllib.loads(Path("my-flow/pyproject.toml").read_text())
    assert project["project"]["entry-points"]["benchbench"] == {"my_flow": "my_flow"}
    for path in plugin_files("my-flow"):
        assert path.is_file()


@pytest.mark.parametrize(
    ("type_", "command"),
    [
        ("metric", "bench run --models vae --datasets grid25 --metrics my-own"),
        ("dataset", "bench run --models vae --datasets my-own"),
        ("extractor", "bench run --models vae --datasets digits --extractor my-own --metrics fid"),
    ],
)
def test_metrics_data_sets_and_extractors(
    capsys: pytest.CaptureFixture[str], type_: str, command: str
) -> None:
    code, out, _ = ran(capsys, "new", "my-own", "--type", type_, "--single-file")
    assert code == 0
    assert out.splitlines()[1:] == [
        "next:",
        "  bench check my-own --plugin my_own.py",
        f"  {command} --plugin my_own.py",
    ]
    registry = Registry.load(["my_own.py"])
    entry = getattr(registry, type_)("my_own" if type_ == "metric" else "my-own")
    assert entry.spec.name == "my-own"
    code, out, _ = ran(capsys, "check", "my-own", "--plugin", "my_own.py")
    assert code == 0, out
    assert "failed" not in out
    assert ran(capsys, "new", "my-own", "--type", type_)[0] == 0
    for path in plugin_files("my-own", type_=type_):
        assert path.is_file()


@pytest.mark.parametrize("type_", TYPES)
def test_a_package_and_a_file_hold_the_same(type_: str) -> None:
    """The implementation of both forms is the same text."""
    single = next(iter(plugin_files("mine", True, type_).values()))
    package = plugin_files("mine", False, type_)
    source = package[max(p for p in package if p.parent.name == "mine" and p.stem != "__init__")]
    body = source[source.index("__all__") :].split("\n", 1)[1].strip()
    assert body in single


def test_the_hook_module_loads_no_torch(capsys: pytest.CaptureFixture[str]) -> None:
    ran(capsys, "new", "my-flow")
    code = "import sys, my_flow; print(my_flow.bench_models()[0].name, 'torch' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd="my-flow/src",
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["my-flow", "False"]


@pytest.mark.parametrize("single_file", [True, False])
@pytest.mark.parametrize("name", ["mine", "my-flow"])
@pytest.mark.parametrize("type_", TYPES)
def test_what_is_written_is_tidy(name: str, single_file: bool, type_: str, tmp_path: Path) -> None:
    for path, text in plugin_files(name, single_file, type_).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or "ruff"
    options = ["--isolated", "--line-length", "100", str(tmp_path)]
    select = ["--select", "E,F,W,I,UP,B,C4,SIM,PT,N"]
    for command in (["check", *select], ["format", "--check"]):
        done = subprocess.run([ruff, *command, *options], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Mine", "allowed: 1 to 64 characters"),
        ("../mine", "allowed: 1 to 64 characters"),
        ("2fast", "must begin with a letter"),
        ("class", "must begin with a letter and be no Python keyword"),
        ("ldm", "is there already, from benchbench"),
        ("torch", "package 'torch' is installed"),
        ("real", "a name that the bench keeps for its own rows"),
        ("grid25 --type dataset", "a data set 'grid25' is there already, from benchbench"),
        ("fid --type metric", "a metric 'fid' is there already, from benchbench"),
        ("scattering --type extractor", "an extractor 'scattering' is there already, from"),
        ("class-kl --type metric", "a score 'class_kl' is there already, of 'classes'"),
        ("mine --type plugin", "'plugin' is not one of 'model', 'metric', 'dataset', 'extractor'"),
    ],
)
def test_names_that_can_not_be(capsys: pytest.CaptureFixture[str], name: str, part: str) -> None:
    code, out, err = ran(capsys, "new", *name.split())
    assert (code, out) == (2, "")
    assert part in err
    assert err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text("precious")
    code, _, err = ran(capsys, "new", "mine", "--single-file")
    assert code == 2
    assert "'mine.py' exists already" in err
    assert Path("mine.py").read_text() == "precious"
    code, _, err = ran(capsys, "new", "mine", "--dir", "nowhere")
    assert code == 2
    assert "'nowhere' is not a folder" in err


@pytest.mark.slow
def test_from_nothing_to_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Three commands and no edit."""
    assert ran(capsys, "new", "mine", "--single-file")[0] == 0
    code, out, _ = ran(capsys, "check", "mine", "--plugin", "mine.py")
    assert code == 0, out
    arguments = ["--models", "mine", "--datasets", "grid25", "--plugin", "mine.py"]
    quick = ["--budget", "20step", "--seeds", "0", "--metrics", "modes", "--out", "out"]
    code, out, err = ran(capsys, "run", *arguments, *quick, "--no-report")
    assert code == 0, err
    assert "mine" in Path("out/table.md").read_text()


@pytest.mark.slow
def test_a_new_data_set_and_a_new_metric_stand_in_the_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ran(capsys, "new", "mine", "--type", "dataset", "--single-file")[0] == 0
    assert ran(capsys, "new", "far", "--type", "metric", "--single-file")[0] == 0
    arguments = ["--models", "vae", "--datasets", "mine", "--metrics", "far,modes"]
    plugins = ["--plugin", "mine.py", "--plugin", "far.py"]
    quick = ["--budget", "20step", "--seeds", "0", "--out", "out", "--controls", "--no-report"]
    code, out, err = ran(capsys, "run", *arguments, *plugins, *quick)
    assert code == 0, err
    table = Path("out/table.md").read_text()
    assert "## mine" in table
    assert "far ↓" in table
    assert "did not tell" not in out
