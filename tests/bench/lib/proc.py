"""What the kernel says about a process."""

import os


def _kib(path, wanted):
    with open(path, encoding="ascii", errors="replace") as source:
        for line in source:
            key, _, rest = line.partition(":")
            if key == wanted:
                return int(rest.split()[0])
    raise RuntimeError(f"no {wanted} in {path}")


def rss_mib(pid):
    return _kib(f"/proc/{pid}/smaps_rollup", "Rss") / 1024


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as source:
        return [int(word) for word in source.read().split()]


def service_mib(pid):
    """A process with its worker processes: its own resident memory, and what they do not share with it."""
    return rss_mib(pid) + sum(private_dirty_mib(child) for child in children(pid))


def private_dirty_mib(pid):
    return _kib(f"/proc/{pid}/smaps_rollup", "Private_Dirty") / 1024


def family(pid):
    """The process and all that come from it."""
    pids = [pid]
    for parent in pids:
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as source:
            pids += [int(child) for child in source.read().split()]
    return pids


def pss_mib(pid):
    """Of it and its children: what they share counts once."""
    return sum(_kib(f"/proc/{each}/smaps_rollup", "Pss") for each in family(pid)) / 1024


def peak_mib(pid):
    return _kib(f"/proc/{pid}/status", "VmHWM") / 1024


def cpu_s(pid):
    """Time on a processor, user and system, to the nanosecond."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as source:
        return int(source.read().split()[0]) / 1e9


def cpu_all_s(pid):
    """As cpu_s, of all its threads, to the hundredth."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as source:
        fields = source.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_family_s(pid):
    return sum(cpu_all_s(each) for each in family(pid))


def files_state(folder):
    """Size and time of change of every file below folder: equal before and after means nothing was written."""
    state = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            info = os.lstat(path)
            state[path] = (info.st_size, info.st_mtime_ns)
    return state


def written_bytes(pid):
    """What it wrote to files (and its log), in the page cache's eyes; sockets do not count."""
    with open(f"/proc/{pid}/io", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("wchar:"))
