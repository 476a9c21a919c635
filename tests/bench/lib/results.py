"""Figures: collected, compared with their budgets, printed, written down."""

import json
import os
import sys


def machine():
    """Processor model and number of cores, nothing that names the machine."""
    model, cores = "unknown processor", 0
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        for line in cpuinfo:
            key, _, value = line.partition(":")
            cores += key.strip() == "processor"
            if key.strip() in ("model name", "Processor", "uarch") and value.strip():
                model = value.strip()
    return f"{model}, {cores} cores"


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Results:
    def __init__(self):
        self.rows = []
        self.machine = machine()
        self.load = os.getloadavg()[0]
        if self.load > 0.5:
            note(f"the load average is {self.load:.1f}: other work makes the times longer than they are")

    def add(self, name, value, unit, budget=None):
        """budget: the largest value that is still fine; None where nothing was promised."""
        value = round(value, 3) if isinstance(value, float) else value
        met = None if budget is None else value <= budget
        self.rows.append({"name": name, "value": value, "unit": unit, "budget": budget, "met": met,
                          "machine": self.machine})
        note(f"{name} = {value} {unit}" + (f" (budget {budget})" if budget is not None else ""))

    def missed(self):
        return [row["name"] for row in self.rows if row["met"] is False]

    def print_table(self):
        head = ("name", "value", "unit", "budget", "met")
        lines = [head] + [self._cells(row) for row in self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        print(f"machine: {self.machine}, load average {self.load:.1f} before, {os.getloadavg()[0]:.1f} after")
        for name, value, unit, budget, met in lines:
            print(f"{name:<{widths[0]}}  {value:>{widths[1]}}  {unit:<{widths[2]}}  "
                  f"{budget:>{widths[3]}}  {met}")

    @staticmethod
    def _cells(row):
        budget = "-" if row["budget"] is None else f"{row['budget']:,}"
        met = {None: "-", True: "yes", False: "NO"}[row["met"]]
        return row["name"], f"{row['value']:,}", row["unit"], budget, met

    def write(self, path):
        with open(path, "w", encoding="utf-8") as out:
            json.dump(self.rows, out, indent=1)
            out.write("\n")


def percentile(values, percent):
    """Nearest rank; values need not be sorted."""
    ordered = sorted(values)
    rank = max(0, -(-len(ordered) * percent // 100) - 1)
    return ordered[int(rank)]
