"""Thousands of agents in one process: tests/swarm, driven by lines on its stdin, heard by lines of JSON."""

import json
import os
import queue
import subprocess
import threading
import time

LIMIT_S = 240


class Swarm:
    def __init__(self, program, log, hub, agents, state, token=None, keys=None, window=None):
        command = [program, "--hub", hub, "--agents", str(agents), "--state", state]
        for flag, value in (("--token", token), ("--keys", keys), ("--window", window)):
            command += [flag, str(value)] if value else []
        with open(log, "ab") as errors:
            self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.pid = self.child.pid
        self.agents = agents
        self._log = log
        self._events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)

    def say(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def event(self, name, limit_s=LIMIT_S):
        """The next event of that name; others before it are dropped."""
        end = time.monotonic() + limit_s
        while True:
            try:
                event = self._events.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"no \"{name}\" within {limit_s} s: {self.stats()}") from None
            if event is None:
                raise RuntimeError(f"the swarm ended: {self._end_of_log()}")
            if event["event"] == name:
                return event

    def ask(self, line, name, limit_s=LIMIT_S):
        self.say(line)
        return self.event(name, limit_s)

    def stats(self):
        """What happened since the start."""
        return self.ask("stats", "stats", 30)

    def ready(self, agents=None, limit_s=LIMIT_S):
        return self.ask(f"ready {agents or self.agents}", "ready", limit_s)

    def expect(self, text):
        """All are to hold a blob that contains the text; `met` waits for it."""
        self.say(f"expect {text}")
        self.ask("progress", "progress", 30)  # it has read it

    def met(self, since_s, limit_s=LIMIT_S):
        """Times in seconds since that moment: when the agents had it, and when the hub had acknowledged their reports."""
        event = self.event("met", limit_s)
        shift = event["asked_s"] - since_s
        return {key[:-3]: value / 1000 + shift for key, value in event.items() if key.endswith("_ms")}

    def stop(self):
        if self.child.poll() is None:
            try:
                self.say("quit")
                self.child.wait(60)
            except (OSError, subprocess.TimeoutExpired):
                self.child.kill()
                self.child.wait()

    def check(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"the swarm ended with {self.child.returncode}: {self._end_of_log()}")

    def _end_of_log(self):
        if not os.path.exists(self._log):
            return ""
        with open(self._log, encoding="utf-8", errors="replace") as log:
            return " | ".join(log.read().splitlines()[-5:])
