"""Hostile plugins stay in their cells, and their reasons are fit to print."""

from __future__ import annotations

from pathlib import Path

from forked import arguments, assert_same_scores, bench, forked_workers, untimed

HOSTILE = {
    "raises": ("error", "RuntimeError: no luck today"),
    "notfinite": ("error", "not finite"),
    "wrongshape": ("error", "shape (2500, 1)"),
    "wrongdtype": ("error", "torch.float64; the contract says torch.float32"),
    "killed": ("error", "ended by SIGKILL, as the system does when memory runs out; it had used"),
    "eats": ("error", "MemoryError"),
    "exits": ("error", "exited with code 7"),
    "crashes": ("error", "ended by SIGSEGV"),
    "hangs": ("timeout", "took longer than 40 s"),
    "quits": ("error", "SystemExit: enough"),
    "noisy": ("error", "<script>alert(1)</script> \\x1b[2J\\udcff | $x$ \\x00 end"),
}


def test_the_good_model_has_the_scores_of_a_run_without_them(tmp_path: Path, whole: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    names = ",".join(["good", *HOSTILE])
    command = arguments(out, names, "--timeout", "40", "--jobs", "3", report=True)
    ended = bench(command, log, forked_workers)
    assert ended.code == 1, ended.err
    assert "Traceback" not in ended.err
    scores = untimed(out)
    rows = scores[scores.metric == "modes"].set_index("model")
    for name, (status, reason) in HOSTILE.items():
        assert rows.loc[name, "status"] == status, name
        assert reason in rows.loc[name, "reason"], rows.loc[name, "reason"]
        assert f"failed   ring8 {name} seed 0: " in ended.err
    for file in ("table.md", "table.tex", "table.csv"):
        assert "\x1b" not in (out / file).read_text()
    for file in ("table.md", "report.html"):
        assert "<script>alert" not in (out / file).read_text(), file
    assert "alert(1)" in (out / "report.html").read_text()
    assert "\x1b" not in ended.out + ended.err
    # What is left when the others are taken away is the run without them.
    from benchbench.store.scores import read_scores, write_scores

    table = read_scores(out / "scores.csv")
    kept = tmp_path / "kept"
    kept.mkdir()
    write_scores(kept / "scores.csv", table[table.model.isin(["real", "good"])])
    assert_same_scores(kept, whole)
