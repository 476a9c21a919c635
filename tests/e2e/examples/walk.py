#!/usr/bin/env python3
"""walk.py - does what a README says, and compares what comes with what it promises.

  walk.py README.md...      TAP, one case for each file

What counts is in ```console blocks: a line "$ COMMAND" (a backslash continues it) is run by bash in the README's folder,
and the lines below it are what it prints, standard error included. In a promise "…" stands for any text, a line of
nothing else for any lines, and runs of blanks are equal. A command that only looks (kubectl get and wait, fedctl's looking
commands) is repeated until it prints what it should, because a federation takes a moment; any other runs once. A command
must end with 0, or with N where its promise ends with a line "(exit code N)".

When a file fails, the commands below its heading "Clean up" are run all the same, so that the next one starts from nothing.
"""
import os
import re
import subprocess
import sys
import time

LOOKS = re.compile(r"^(kubectl (--context \S+ )?(-n \S+ )?(get|wait|describe|events)\b"
                   r"|(fedctl|kubectl fed) (status|tree|events|diff|clusters|rollout (list|status))\b)")
PATIENCE = float(os.environ.get("EXAMPLE_PATIENCE", "180"))
COMMAND_LIMIT = 300


class Step:
    def __init__(self, line, command, cleaning):
        self.line, self.command, self.cleaning, self.promise = line, command, cleaning, []

    def wanted(self):
        """The promised lines, and the exit code."""
        lines, code = list(self.promise), 0
        while lines and not lines[-1].strip():
            lines.pop()
        if lines and (found := re.fullmatch(r"\(exit code (\d+)\)", lines[-1].strip())):
            code = int(found.group(1))
            lines.pop()
        return lines, code


def steps_of(path):
    steps, inside, cleaning, more = [], False, False, False
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not inside:
                if line.startswith("#"):
                    cleaning = line.lstrip("# ").lower() == "clean up"
                inside = line.strip() == "```console"
            elif line.strip() == "```":
                inside = more = False
            elif more:
                steps[-1].command += "\n" + line
                more = line.endswith("\\")
            elif line.startswith("$ "):
                steps.append(Step(number, line[2:], cleaning))
                more = line.endswith("\\")
            elif steps:
                steps[-1].promise.append(line)
            else:
                raise SystemExit(f"{path}:{number}: output without a command")
    if not steps:
        raise SystemExit(f"{path}: no command in a console block")
    return steps


def pattern(lines):
    """A regular expression of the promise: blanks are equal, … is anything."""
    text = ""
    for line in lines:
        if line.strip() == "…":
            text += r"(?:[^\n]*\n)*?"
        else:
            text += r"[^\n]*".join(re.escape(part) for part in " ".join(line.split()).split("…")) + r"\n"
    return re.compile(text)


def plain(text):
    return "".join(" ".join(line.split()) + "\n" for line in text.splitlines() if line.strip())


def run(step, folder):
    try:
        done = subprocess.run(["bash", "-c", step.command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=COMMAND_LIMIT)
        return done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(errors="replace") + f"\n(not done after {COMMAND_LIMIT} s)", -1


def walk(path):
    """None, or what went wrong."""
    folder, failed = os.path.dirname(os.path.abspath(path)), None
    for step in steps_of(path):
        if failed and not step.cleaning:
            continue
        lines, code = step.wanted()
        wanted = pattern([line for line in lines if line.strip()])
        end = time.monotonic() + (PATIENCE if LOOKS.match(step.command) else 0)
        while True:
            out, got = run(step, folder)
            held = got == code and (not lines or wanted.fullmatch(plain(out)))
            if held or time.monotonic() >= end:
                break
            time.sleep(0.1)
        if not held and not failed:
            failed = (f"line {step.line}\n$ {step.command}\n{out.rstrip()}\n(exit code {got})\n"
                      f"promised, with exit code {code}:\n" + "\n".join(lines))
    return failed


def main():
    bad = 0
    for number, path in enumerate(sys.argv[1:], 1):
        since = time.monotonic()
        name = os.path.relpath(os.path.dirname(os.path.abspath(path)))
        failed = walk(path)
        bad += failed is not None
        print(f"{'not ok' if failed else 'ok'} {number} - {name} ({(time.monotonic() - since) * 1000:.0f} ms)", flush=True)
        for line in (failed or "").splitlines():
            print("#   " + line[:300], flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
