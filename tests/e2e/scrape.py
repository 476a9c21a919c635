#!/usr/bin/env python3
"""scrape.py - reads a scrape of Prometheus' text format 0.0.4 on stdin and fails on whatever is not exactly that: a family
without TYPE or with two, series of two families mixed, a series twice, a counter that is not called _total, a name
with a unit that is no base unit, a label with more values than a fixed set of words can have."""
import re
import sys

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
SERIES = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)(\{(.*)\})? ([0-9.+eE-]+|NaN|[+-]Inf)\Z")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
UNITS = re.compile(r"_(milliseconds|ms|minutes|hours|kilobytes|kib|percent)(_|\Z)")
families, series, values = {}, set(), {}
now = None
text = sys.stdin.read()
assert text.endswith("\n"), "no line feed at the end"
for line in text.splitlines():
    if line.startswith("# TYPE "):
        name, kind = line[7:].split(" ")
        assert NAME.match(name) and name not in families and kind in ("gauge", "counter"), line
        assert (kind == "counter") == name.endswith("_total"), line
        assert not UNITS.search(name), line
        now, families[name] = name, kind
    else:
        match = SERIES.match(line)
        assert match, line
        name, _, labels, value = match.groups()
        assert name == now and families[name], line
        float(value)
        rest, seen = labels or "", set()
        while rest:
            label = LABEL.match(rest)
            assert label, line
            assert label[1] not in seen, line
            seen.add(label[1])
            values.setdefault((name, label[1]), set()).add(label[2])
            rest = rest[label.end():]
            assert rest == "" or rest.startswith(","), line
            rest = rest[1:]
        key = line.rsplit(" ", 1)[0]
        assert key not in series, line
        series.add(key)
assert all(families.values()) and len(families) >= 14, families
assert all(len(words) <= 10 for words in values.values()), values
