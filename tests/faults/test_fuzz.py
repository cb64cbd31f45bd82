"""Mutated suite files, options and result folders: one line and code 2, or a plan; never a trace.

Nothing is trained: a suite that passes every check ends where its cells would begin.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from forked import LONG, timed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchbench.cli import run as run_command
from benchbench.cli.main import _guarded
from benchbench.runner.run import Run
from benchbench.store.files import read_json, write_json

HANG_SECONDS = 20.0


def fuzz(examples: int) -> settings:
    """This many inputs in the long profile; a fixed fiftieth of them in the normal suite."""
    return settings(
        max_examples=examples if LONG else examples // 50,
        derandomize=not LONG,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


odd_text = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(min_codepoint=0, max_codepoint=0x2FF), max_size=40),
    st.sampled_from(
        ["", "\0", "\udcff", "../../etc", "/dev/zero", "/", "~", "<b>x</b>", "x" * 5000, "[" * 999]
    ),
    st.sampled_from(
        ["\x1b[2J", "-1", "1e300", "9" * 5000, "nan", "0x" + "f" * 500, "*a", "a: b", "{}", "\n"]
    ),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.floats(),
    odd_text,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd_text, inner, max_size=4),
    max_leaves=8,
)
models = st.one_of(
    odd_text,
    st.sampled_from(["vae", "gan", "ldm", "ldm[steps=8]", "vae[width=16]", "gan[pack=2]", "real"]),
    st.tuples(st.sampled_from(["vae", "gan", "ldm"]), odd_text, odd_text).map(
        lambda t: f"{t[0]}[{t[1]}={t[2]}]"
    ),
    st.tuples(st.sampled_from(["vae[width", "ldm[steps", "gan[pack"]), odd_text).map(
        lambda t: f"{t[0]}={t[1]}]"
    ),
)
budgets = st.one_of(
    odd_text,
    st.tuples(
        st.one_of(st.integers(), st.floats(), st.sampled_from(["1e", ".", "+5", "٣", "1_0"])),
        st.sampled_from(["s", "flop", "img", "step", "kimg", "", " s", "S", "parsec", "sss"]),
    ).map(lambda t: f"{t[0]}{t[1]}"),
)
KEYS = (
    *("name", "summary", "models", "datasets", "seeds", "budget", "fractions", "ceiling_seconds"),
    *("extractor", "controls", "metrics", "set", "threads", "device", "precision", "plugins"),
)
suites = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(KEYS, values),
        "models": st.one_of(values, st.lists(models, max_size=3)),
        "datasets": st.one_of(values, st.lists(st.sampled_from(["ring8", "grid25", "x"]))),
        "budget": st.one_of(values, budgets),
        "set": st.one_of(values, st.dictionaries(st.sampled_from(["vae.width", "ldm.lr"]), values)),
    },
)
damaged_yaml = st.tuples(suites, st.integers(0, 2**31), st.binary(max_size=6))


@pytest.fixture(autouse=True)
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run ends where its cells would begin, with an empty result folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(run_command, "_execute", lambda *_: 0)


def check(command: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    """The exit code, 0 or 2; 2 has one line of its own and nothing else."""
    capsys.readouterr()
    with timed(HANG_SECONDS):
        code = _guarded(command)
    printed = capsys.readouterr()
    assert code in (0, 2), command
    assert "Traceback" not in printed.err
    assert "a defect of the bench" not in printed.err, (command, printed.err)
    if code == 2:
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        assert len(printed.err) < 2000
        assert printed.out == ""
    return code


def written(suite: Any) -> bytes:
    return yaml.safe_dump(suite, allow_unicode=True).encode("utf-8", "surrogatepass")


@fuzz(1500)
@given(suite=suites)
def test_suite_files(suite: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Path("suite.yaml").write_bytes(written(suite))
    check(["run", "suite.yaml"], capsys)


@fuzz(1500)
@given(damage=damaged_yaml)
def test_damaged_suite_files(damage: Any, capsys: pytest.CaptureFixture[str]) -> None:
    suite, place, noise = damage
    base = {"models": ["vae"], "datasets": ["ring8"], "budget": "5step", **suite}
    content = written(base)
    place %= len(content) + 1
    Path("suite.yaml").write_bytes(content[:place] + noise + content[place + len(noise) // 2 :])
    check(["run", "suite.yaml"], capsys)


@fuzz(450)
@given(
    model=models,
    budget=budgets,
    seeds=st.one_of(odd_text, st.sampled_from(["0-9", "0-999999", "1,1", "2-1", "٣"])),
    setting=st.tuples(st.sampled_from(["vae.width", "ldm.", ".", "gan.pack"]), odd_text),
    more=st.lists(
        st.tuples(
            st.sampled_from(["--datasets", "--metrics", "--fractions", "--device", "--threads"]),
            odd_text,
        ),
        max_size=2,
    ),
)
def test_options(
    model: str,
    budget: str,
    seeds: str,
    setting: tuple[str, str],
    more: list[tuple[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    extra = [part for pair in more for part in pair]
    check(["run", "--models", model, *extra], capsys)
    check(["run", f"--budget={budget}"], capsys)
    check(["run", f"--seeds={seeds}"], capsys)
    check(["run", "--set", "=".join(setting)], capsys)


@fuzz(900)
@given(
    file=st.sampled_from(["plan.json", "scores.csv", "context.json", "cell.json", "scores.json"]),
    place=st.integers(0, 2**31),
    noise=st.binary(max_size=8),
    sealed=st.booleans(),
)
def test_damaged_result_folders(
    whole: Path,
    file: str,
    place: int,
    noise: bytes,
    sealed: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """sealed: the checksum of scores.csv is gone, so that its content itself has to be checked."""
    out = Path("out")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(whole, out)
    (target, *_) = out.rglob(file)
    content = target.read_bytes()
    place %= len(content) + 1
    target.write_bytes(content[:place] + noise + content[place + len(noise) // 2 :])
    if not sealed:
        (out / "scores.csv.sha256").unlink()
    check(["table", str(out)], capsys)


@fuzz(900)
@given(key=st.sampled_from(["cells", "assets", "plugins", "notes", "version"]), value=values)
def test_plans_of_strangers(whole: Path, key: str, value: Any) -> None:
    """A plan that is no plan, with a checksum that fits, is refused in one line."""
    from benchbench.api import BenchError
    from benchbench.runner.plan import Plan

    out = Path("out")
    out.mkdir(exist_ok=True)
    plan = read_json(whole / "plan.json")
    try:
        write_json(out / "plan.json", {**plan, key: value})
    except ValueError:  # numbers that JSON has no word for
        return
    try:
        merged = Plan.from_json(read_json(out / "plan.json"))
    except BenchError:
        return
    assert isinstance(merged, Plan)


def test_a_run_gets_as_far_as_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the fuzzed commands leave out is real: an accepted suite reaches `Run.execute`."""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    reached = []
    monkeypatch.setattr(Run, "execute", lambda self, *_: reached.append(self.plan) or [])
    Path("suite.yaml").write_text("models: [vae]\ndatasets: [ring8]\nbudget: 5step\n")
    assert _guarded(["run", "suite.yaml", "--out", "out"]) == 0
    assert len(reached) == 1
