#!/usr/bin/env python3
"""killat.py - an agent that is killed, or whose disk fails, at a system call that touches its state.

One cycle is a start with waiting changes (four objects changed, one added or removed in one bundle), one change that comes
while it runs, and an orderly stop. It is counted under strace first; then it runs once for each call of each kind of
system call and is killed right before that one. What is in the member then must be of before or of after, nothing else; the
next start must bring both in order. `errors` does the same with a disk that fails from the N-th call on, `attach` with one
that fails while the agent runs and comes back.

Prints a line for each complaint and one verdict; the exit code is 1 when there was a complaint. Started by killat.sh.
"""
import argparse
import collections
import glob
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

from chaos import FLEET, MERGE, Server

CLUSTER = "cluster1"
KILLED_AT = ["pwrite64", "write", "fsync", "fdatasync", "rename", "unlink", "ftruncate", "sendto", "sendmsg", "fchmod",
             "utimensat", "openat", "mkdir"]
FAILING = "pwrite64,fsync,fdatasync,ftruncate,rename,renameat,unlink,unlinkat"
ERRORS = ["ENOSPC", "EIO", "EROFS"]
TYPES = "/apis/types.kubefed.io/v1beta1/namespaces/shop/federatedconfigmaps"
MAPS = "/api/v1/namespaces/shop/configmaps"
STEADY = ["k0", "k1", "k2", "k3"]
LIMIT_S = 90
RECOVERY_S = 90
BAD = re.compile(r"set aside|damaged|cannot be read|another machine|bundle refused|older than revision|Sanitizer|runtime error")
BIN = os.environ["FEDLET_BIN"]
STATE = f"{FLEET}/{CLUSTER}/state"
LOG = f"{FLEET}/logs/{CLUSTER}-agent.err"


class Complaint(Exception):
    pass


def say(text):
    print(text, flush=True)


class World:
    def __init__(self):
        self.hub = Server("hub")
        self.member = Server(CLUSTER)
        self.round = 0
        self.wanted = {}
        self.uids = {}
        self.extra = None
        self.strangers = None
        self.revision = 0
        self.starts = []

    # ---- what the hub is told ----

    def put(self, name, value):
        body = {"spec": {"template": {"data": {"v": value}}}}
        status, _ = self.hub.call("PATCH", f"{TYPES}/{name}", body, MERGE)
        if status == 404:
            status, answer = self.hub.call("POST", TYPES, {
                "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedConfigMap",
                "metadata": {"name": name, "namespace": "shop"},
                "spec": {"template": {"data": {"v": value}}, "placement": {"clusters": [{"name": CLUSTER}]}}})
            if status != 201:
                raise OSError(f"{name}: {status} {answer}")
        self.wanted[name] = value

    def change(self):
        """One round, while no agent is there: it comes as one bundle."""
        self.round += 1
        for name in STEADY:
            self.put(name, str(self.round))
        if self.extra:
            self.hub.call("DELETE", f"{TYPES}/{self.extra}")
            self.wanted.pop(self.extra)
            self.extra = None
        else: # another one each time: the one of before may still wait for its removal to be confirmed
            self.extra = f"extra-{self.round}"
            self.put(self.extra, str(self.round))

    # ---- what the member has ----

    def maps(self):
        return {m["metadata"]["name"]: m for m in self.member.items(MAPS)}

    def managed(self, maps):
        return {n: m["data"].get("v") for n, m in maps.items()
                if (m["metadata"].get("labels") or {}).get("kubefed.io/managed") == "true"}

    def applied(self):
        return self.managed(self.maps()) == self.wanted

    def reported(self):
        items = {i["metadata"]["name"]: i for i in self.hub.items(TYPES)}
        if set(items) != set(self.wanted):
            return False
        return all(any(c["type"] == "Propagation" and c["status"] == "True" for c in (i.get("status") or {}).get("conditions", []))
                   and i["status"].get("observedGeneration") == i["metadata"]["generation"] for i in items.values())

    def differs(self):
        return f"member {self.managed(self.maps())}, wanted {self.wanted}, hub " + str(
            {i["metadata"]["name"]: (i.get("status"), i["metadata"]["generation"]) for i in self.hub.items(TYPES)})[:1500]

    def judge_between(self):
        """After a kill: each object as it was or as it is to be."""
        maps = self.maps()
        for name in STEADY:
            value = maps[name]["data"]["v"] if name in maps else None
            if value not in (str(self.round), str(self.round - 1)):
                raise Complaint(f"{name} is {value} in round {self.round}")
        if "live" not in maps:
            raise Complaint("live is gone")
        self.judge_always(maps)

    def judge_always(self, maps=None):
        maps = maps or self.maps()
        strangers = {n: (m["metadata"]["uid"], m["metadata"]["resourceVersion"]) for n, m in maps.items()
                     if n.startswith("stranger")}
        if self.strangers is None:
            self.strangers = strangers
        if strangers != self.strangers:
            raise Complaint(f"a stranger was touched: {strangers}")
        for name in STEADY + ["live"]:
            if name in maps and self.uids.setdefault(name, maps[name]["metadata"]["uid"]) != maps[name]["metadata"]["uid"]:
                raise Complaint(f"{name} was deleted and made again")

    def judge_hub(self):
        _, cluster = self.hub.call("GET", f"/apis/core.kubefed.io/v1beta1/namespaces/kube-federation-system/kubefedclusters/{CLUSTER}")
        for condition in cluster["status"].get("conditions", []):
            if condition["type"] == "CloneSuspected" and condition["status"] == "True":
                raise Complaint(f"the hub takes it for a copy: {condition.get('message')}")


WORLD = World()


# ---- the agent ----

class Agent:
    def __init__(self, trace=None):
        self.trace = bool(trace)
        self.log_from = os.path.getsize(LOG) if os.path.exists(LOG) else 0
        env = dict(os.environ)
        if trace:
            env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # does not work under ptrace
        self.since = time.monotonic()
        self.process = subprocess.Popen(
            [*(trace or []), f"{BIN}/fedlet", "run", "--state-dir", STATE, "--kubeconfig",
             f"{FLEET}/{CLUSTER}/kube/admin.kubeconfig"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(LOG, "ab"), env=env, start_new_session=True)
        with open(f"{FLEET}/{CLUSTER}.pid", "w", encoding="utf-8") as out:
            out.write(str(self.process.pid))

    def pid(self):
        """Of the agent itself, below strace."""
        if not self.trace:
            return self.process.pid
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end and self.process.poll() is None:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="utf-8") as file:
                children = file.read().split()
            if children:
                return int(children[0])
            time.sleep(0.01)
        return None

    def connected(self):
        return ": connected" in self.said()

    def alive(self):
        return self.process.poll() is None

    def until(self, condition, limit_s, what):
        """False when it ended before."""
        end = time.monotonic() + limit_s
        while not condition():
            if not self.alive():
                return False
            if time.monotonic() > end:
                raise Complaint(f"waited {limit_s} s for: {what}; {WORLD.differs()}; {self.said()[-600:]}")
            time.sleep(0.02)
        return True

    def said(self):
        with open(LOG, encoding="utf-8", errors="replace") as file:
            file.seek(self.log_from)
            return file.read()

    def end(self, number=signal.SIGTERM):
        try:
            pid = self.pid()
            if pid:
                os.kill(pid, number)
            code = self.process.wait(LIMIT_S)
        except (ProcessLookupError, FileNotFoundError):
            code = self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired as late:
            self.process.kill()
            raise Complaint(f"it does not end; {self.said()[-600:]}") from late
        return code


def revisions_staged(text):
    return [int(n) for n in re.findall(r"bundle (\d+): \d+ works", text)]


def cycle(trace, expect_end):
    """A start, a change while it runs, a stop; ends as soon as the agent does. True when it came to the end."""
    agent = Agent(trace)
    try:
        done = agent.until(lambda: agent.connected() and WORLD.applied(), LIMIT_S, "the waiting changes in the member")
        if done:
            WORLD.put("live", str(WORLD.round))
            done = agent.until(lambda: WORLD.applied() and WORLD.reported(), LIMIT_S, "the change in the member and at the hub")
        if done or agent.alive():
            code = agent.end()
            done = code == 0
        else:
            code = agent.process.wait()
    except Complaint:
        agent.end(signal.SIGKILL)
        raise
    staged = revisions_staged(agent.said())
    for revision in staged:
        if revision < WORLD.revision:
            raise Complaint(f"revision {revision} after {WORLD.revision}")
        WORLD.revision = revision
    if not done and not expect_end:
        raise Complaint(f"it ended with {code}; {agent.said()[-800:]}")
    if not done and code not in (-signal.SIGKILL, 128 + signal.SIGKILL, 0, 1):
        raise Complaint(f"it ended with {code}; {agent.said()[-800:]}")
    found = BAD.search(agent.said())
    if found and not expect_end == "errors":
        raise Complaint(f"the agent said: {agent.said()[max(0, found.start() - 200):found.end() + 200]}")
    return done


def recover(reported=True):
    """A plain start after a kill brings everything in order; that the hub heard so takes longer (AGENT_REPORT_FIRST_MS)."""
    agent = Agent()
    try:
        if not agent.until(lambda: agent.connected() and WORLD.applied() and (not reported or WORLD.reported()), LIMIT_S,
                           "everything in order after a restart"):
            raise Complaint(f"it ended with {agent.process.wait()}; {agent.said()[-800:]}")
        WORLD.starts.append(time.monotonic() - agent.since)
        for revision in revisions_staged(agent.said()):
            if revision < WORLD.revision:
                raise Complaint(f"revision {revision} after {WORLD.revision}")
            WORLD.revision = revision
        WORLD.judge_always()
        WORLD.judge_hub()
        found = BAD.search(agent.said())
        if found:
            raise Complaint(f"the agent said: {agent.said()[max(0, found.start() - 200):found.end() + 200]}")
    finally:
        code = agent.end() if agent.alive() else agent.process.wait()
    if code != 0:
        raise Complaint(f"it ended with {code} in order; {agent.said()[-800:]}")


# ---- sweeps ----

def strace(*options):
    return ["strace", "-f", "-qq", *options]


def count():
    """How often one cycle makes each call."""
    path = f"{FLEET}/logs/strace.count"
    WORLD.change()
    cycle(strace("-o", path, "-e", "trace=" + ",".join("?" + s for s in KILLED_AT)), False)
    counts = collections.Counter()
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            name = re.match(r"\d+ +(\w+)\(", line)
            if name:
                counts[name.group(1)] += 1
    return counts


def one(what, trace, expect_end):
    try:
        WORLD.change()
        done = cycle(trace, expect_end)
        WORLD.judge_between()
        recover(WORLD.round % 4 == 0)
        return done, None
    except Complaint as complaint:
        text = f"{what}: {complaint}"
        # In order again for the next one, which would complain of the same otherwise.
        try:
            recover()
        except Complaint as again:
            text += f" (and after that: {str(again)[:200]})"
        return False, text


def run(cases, deadline):
    complaints, ran, reached = [], 0, 0
    for what, trace, expect_end in cases:
        if time.monotonic() > deadline:
            break
        done, complaint = one(what, trace, expect_end)
        ran += 1
        reached += not done
        if complaint:
            complaints.append(complaint)
            say(f"# {complaint}")
    return complaints, ran, reached


def kill_cases(options, counts):
    cases = [(f"killed at {name} {n}", strace("-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=SIGKILL:when={n}"), True)
             for name in KILLED_AT for n in range(1, counts[name] + 1)]
    if options.sample:
        # One of each kind at least.
        first = [random.choice([c for c in cases if f" {name} " in c[0]]) for name in KILLED_AT if counts[name]]
        rest = [c for c in cases if c not in first]
        random.shuffle(rest)
        cases = first + rest[:max(0, options.sample - len(first))]
    return cases


def error_cases(options, counts):
    names = [n for n in FAILING.split(",") if counts[n]]
    total = counts["pwrite64"]
    cases = []
    for error in ERRORS:
        spots = range(1, total + 1) if not options.sample else random.sample(range(1, total + 1), min(total, max(1, options.sample // 20)))
        for n in spots:
            inject = [x for name in names for x in ("-e", f"inject={name}:error={error}:when={max(1, n * counts[name] // total)}+")]
            cases.append((f"{error} from {n} of {total} on", strace("-o", "/dev/null", "-e", "trace=" + ",".join(names), *inject), "errors"))
    return cases


def errors_one(what, trace):
    """A disk that fails for good: nothing of a bundle that is not on it, no crash, and a good start afterwards."""
    try:
        WORLD.change()
        agent = Agent(trace)
        # From its first word on, by which it has a handler for the signal that ends it.
        agent.until(agent.said, LIMIT_S, "a word")
        end = time.monotonic() + 1.5
        while time.monotonic() < end and agent.alive() and not WORLD.applied():
            time.sleep(0.05)
        code = agent.end() if agent.alive() else agent.process.wait()
        if code not in (0, 1):
            raise Complaint(f"it ended with {code}; {agent.said()[-800:]}")
        for revision in revisions_staged(agent.said()):
            WORLD.revision = max(WORLD.revision, revision)
        WORLD.judge_between()
        recover()
        return None
    except Complaint as complaint:
        try:
            recover()
        except Complaint:
            pass
        return f"{what}: {complaint}"


def attach(error, names):
    """The disk fails while the agent runs, and comes back."""
    agent = Agent()
    tracer = None
    try:
        WORLD.change()
        agent.until(lambda: WORLD.applied() and WORLD.reported(), LIMIT_S, "the start")
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(agent.pid()), "-e", f"trace={names}",
                                   "-e", f"inject={names}:error={error}"], start_new_session=True)
        agent.until(lambda: f"TracerPid:\t{tracer.pid}" in open(f"/proc/{agent.pid()}/status", encoding="utf-8").read(), LIMIT_S, "strace")
        WORLD.round += 1
        WORLD.put("k0", str(WORLD.round))
        agent.until(lambda: "bundle refused" in agent.said(), LIMIT_S, "the refusal of the bundle")
        WORLD.member.call("DELETE", f"{MAPS}/k1")
        WORLD.uids.pop("k1", None)
        agent.until(lambda: "k1" in WORLD.maps(), LIMIT_S, "a deleted object to come back")
        if WORLD.maps()["k0"]["data"]["v"] == str(WORLD.round):
            raise Complaint("a bundle that is not on the disk was applied")
        tracer.send_signal(signal.SIGINT)
        tracer.wait(LIMIT_S)
        since = time.monotonic()
        agent.until(lambda: WORLD.applied() and WORLD.reported(), RECOVERY_S, "recovery")
        say(f"# {error}: in order {time.monotonic() - since:.1f} s after the disk was back")
        if agent.end() != 0:
            raise Complaint(f"it ended badly; {agent.said()[-800:]}")
        for name in STEADY:
            WORLD.put(name, str(WORLD.round))
        recover()
        return None
    except Complaint as complaint:
        return f"{error} while it runs: {complaint}"
    finally:
        if tracer and tracer.poll() is None:
            tracer.kill()
        if agent.alive():
            agent.end(signal.SIGKILL)


def begin():
    for item in WORLD.hub.items(TYPES):
        if item["metadata"]["name"].startswith("extra"):
            WORLD.hub.call("DELETE", f"{TYPES}/{item['metadata']['name']}")
    for name in ["live", *STEADY]:
        WORLD.put(name, "0")
    recover()


def sweep_join(options):
    """`fedlet join`, killed at each call that touches its directory, is done again."""
    names = ["pwrite64", "fsync", "fdatasync", "rename", "unlink", "ftruncate", "openat", "write"]
    token = os.environ["TOKEN"]
    complaints = []

    def join(number, trace):
        state = f"{FLEET}/joiners/{number}"
        env = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + (":detect_leaks=0" if trace else ""))
        return subprocess.run([*trace, f"{BIN}/fedlet", "join", token, "--name", f"joiner{number}", "--state-dir", state, "--kubeconfig",
                               f"{FLEET}/{CLUSTER}/kube/admin.kubeconfig"], capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=300)

    path = f"{FLEET}/logs/strace.join"
    join(0, strace("-o", path, "-e", "trace=" + ",".join(names)))
    counts = collections.Counter(re.findall(r"^\d+ +(\w+)\(", open(path, encoding="utf-8", errors="replace").read(), re.M))
    cases = [(name, n) for name in names for n in range(1, counts[name] + 1)]
    if options.sample:
        random.shuffle(cases)
        cases = cases[:options.sample // 3]
    for number, (name, n) in enumerate(cases, 1):
        join(number, strace("-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=SIGKILL:when={n}"))
        again = join(number, [])
        third = join(number, [])
        if again.returncode != 0 or "joined already" not in third.stdout:
            complaints.append(f"join killed at {name} {n}: {again.returncode} {again.stderr[-300:]} then {third.stdout}{third.stderr[-300:]}")
        shutil.rmtree(f"{FLEET}/joiners/{number}", ignore_errors=True)
    say(f"# join: {len(cases)} kills of {sum(counts.values())} calls")
    return complaints


def sweep_leave(options):
    """`fedlet leave`, killed anywhere, ends when it is done again, and leaves no half of a member."""
    names = ["unlink", "pwrite64", "fsync", "sendto"]
    complaints = []
    begin()
    kept = f"{FLEET}/kept-state"
    shutil.copytree(STATE, kept, symlinks=True, ignore=lambda d, n: [x for x in n if x.endswith(".sock")])

    def back():
        shutil.rmtree(STATE)
        shutil.copytree(kept, STATE)

    def leave(trace):
        env = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + (":detect_leaks=0" if trace else ""))
        return subprocess.run([*trace, f"{BIN}/fedlet", "leave", "--keep-objects", "--state-dir", STATE, "--kubeconfig",
                               f"{FLEET}/{CLUSTER}/kube/admin.kubeconfig"], capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=300)

    path = f"{FLEET}/logs/strace.leave"
    leave(strace("-o", path, "-e", "trace=" + ",".join(names)))
    counts = collections.Counter(re.findall(r"^\d+ +(\w+)\(", open(path, encoding="utf-8", errors="replace").read(), re.M))
    cases = [(name, n) for name in names for n in range(1, counts[name] + 1)]
    if options.sample:
        random.shuffle(cases)
        cases = cases[:options.sample // 6]
    for name, n in cases:
        back()
        leave(strace("-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=SIGKILL:when={n}"))
        again = leave([])
        left = sorted(os.path.basename(f) for f in glob.glob(f"{STATE}/*"))
        if again.returncode != 0 and "has not joined" not in again.stderr or set(left) - {"lock"}:
            complaints.append(f"leave killed at {name} {n}: {again.returncode} {again.stderr[-300:]} left {left}")
    say(f"# leave: {len(cases)} kills of {sum(counts.values())} calls")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["kill", "errors", "attach", "join", "leave"])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--sample", type=int, default=0, help="that many kills; 0: all")
    parser.add_argument("--limit", type=float, default=1e9, metavar="S", help="no new one after that")
    options = parser.parse_args()
    random.seed(options.seed)
    deadline = time.monotonic() + options.limit
    if options.what in ("join", "leave"):
        complaints = sweep_join(options) if options.what == "join" else sweep_leave(options)
    elif options.what == "attach":
        begin()
        complaints = [c for c in (attach(error, FAILING.replace(",", ",?").replace("pwrite64", "pwrite64")) for error in ERRORS) if c]
    else:
        begin()
        counts = count()
        recover()
        since = time.monotonic()
        if options.what == "kill":
            cases = kill_cases(options, counts)
            complaints, ran, reached = run(cases, deadline)
            recover()
            say(f"# killed {reached} times in {ran} of {sum(counts[n] for n in KILLED_AT)} places ({dict(counts)}); "
                f"{time.monotonic() - since:.0f} s; restart to in order: median {sorted(WORLD.starts)[len(WORLD.starts) // 2]:.2f} s, "
                f"worst {max(WORLD.starts):.2f} s")
            if reached < ran * 3 // 4:
                complaints.append("hardly any kill hit: the harness does not do what it says")
        else:
            cases = error_cases(options, counts)
            complaints = []
            for what, trace, _ in cases:
                if time.monotonic() > deadline:
                    break
                complaint = errors_one(what, trace)
                if complaint:
                    complaints.append(complaint)
            say(f"# {len(cases)} failing disks; {time.monotonic() - since:.0f} s")
    for complaint in complaints:
        say(f"complaint: {complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
