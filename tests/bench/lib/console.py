"""The console in headless Chromium, against a hub of ten thousand clusters."""

import json
import os
import shutil

from .reads import large_fleet
from .results import note
from .world import ROOT, run

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# name: unit, budget
FIGURES = {
    "view_bytes": ("bytes", 100_000), "view_js_bytes": ("bytes", 80_000), "fleet_bytes": ("bytes", 60_000),
    "foreign_requests": ("requests", 0), "paint_ms": ("ms", 500), "interactive_ms": ("ms", 1000),
    "grid_10000_ms": ("ms", 100), "grid_50000_ms": ("ms", 250), "frame_ms": ("ms", 20), "longest_task_ms": ("ms", 50),
    "heap_growth_percent": ("%", 10), "heap_mib": ("MiB", None), "search_p95_ms": ("ms", 150)}


def browser():
    """The program, with the console's files built; None when it or Node.js is not there."""
    program = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if not program or not shutil.which("node"):
        return None
    run(os.path.join(ROOT, "console", "build"), os.path.join(ROOT, "console", "dist"))
    return program


def console(fleet, results):
    """The page that fedhub serves: size, first view, grid, updates, heap."""
    program = browser()
    if not program:
        note("console: not measured: no Chromium or no Node.js")
        return
    with large_fleet(fleet, "console-hub") as hub:
        codes = [run(fleet.release("fedctl"), "--kubeconfig", hub.kubeconfig, "console", "--print").strip().split("code=")[1]
                 for _ in range(2)]
        said = run("node", os.path.join(ROOT, "tests", "bench", "console.mjs"),
                   env={**os.environ, "BASE": f"https://127.0.0.1:{hub.api_port}", "CODE": ",".join(codes), "BROWSER": program})
    measured = json.loads(said.splitlines()[-1])
    for name, (unit, budget) in FIGURES.items():
        results.add(f"console_{name}", measured[name], unit, budget)
