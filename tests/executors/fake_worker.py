"""Stands for `benchbench.runner.worker` where a test or a benchmark is about placing cells.

    python -I -S fake_worker.py FOLDER KEY LIFELINE PLAN

It imports neither torch nor the bench. The cell's config says what to do: `steps` of `pause`
seconds each, with a checkpoint after every one; `first` in cell.json is the step it began at.
"""

import json
import os
import signal
import sys
import threading
import time


def main():
    out, key, lifeline, plan = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    threading.Thread(target=end_with_parent, args=(lifeline,), daemon=True).start()
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    with os.fdopen(plan) as file:
        cell = json.load(file)["cells"][0]
    seed = f"seed-{cell['seed'] or 0}-{key[:12]}"
    folder = os.path.join(out, "cells", cell["dataset"], cell["model"], seed)
    os.makedirs(folder, exist_ok=True)
    ended = run(cell["config"], folder, asked)
    tell("end", status=ended, reason="")


def run(config, folder, asked):
    began = time.time()
    checkpoint = os.path.join(folder, "checkpoint.safetensors")
    first = 0
    if os.path.exists(checkpoint):
        with open(checkpoint) as file:
            first = int(file.read())
    steps = config.get("steps", 0)
    for step in range(first, steps):
        write(checkpoint, str(step))
        tell("train", step=step, first=first, fraction=step / steps, phase="", seconds=0, values={})
        time.sleep(config["pause"])
        if asked:
            return "interrupted"
    status = {"status": config.get("ends", "done"), "reason": "", "first": first}
    status["times"] = [began, time.time()]
    write(os.path.join(folder, "cell.json"), json.dumps(status))
    if steps:
        os.unlink(checkpoint)
    return status["status"]


def write(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def end_with_parent(lifeline):
    os.read(lifeline, 1)
    os._exit(9)


if __name__ == "__main__":
    main()
