"""fields.py - which members of a .status are reported, as section 9.4 of docs/protocol.md describes it."""
import re

from codec import need

TEXT_MAX, FIELDS_MAX, DEPTH_MAX = 1024, 16, 8
STEP = re.compile(r"\[\*\]|\['([^']+)'\]|(\.?)([A-Za-z0-9_-]+)")


def take(text):
    """[[step, ...], ...]; a step is a name, or None for each child."""
    need(len(text.encode()) <= TEXT_MAX, "LIMIT")
    at, fields = 0, []
    while True:
        need(len(fields) < FIELDS_MAX, "LIMIT")
        while text[at:at + 1] == " ":
            at += 1
        steps = []
        while not steps or at < len(text) and text[at] not in ", ":
            need(len(steps) < DEPTH_MAX, "LIMIT")
            step = STEP.match(text, at)
            need(step and (not steps or text[at] in ".["))
            steps.append(step[1] or step[3])
            at = step.end()
        fields.append(steps)
        while text[at:at + 1] == " ":
            at += 1
        if at == len(text):
            return fields
        need(text[at] == ",")
        at += 1


def select(fields, value):
    """What is left, None for nothing."""
    left = {} if isinstance(value, dict) else []
    if not isinstance(value, (dict, list)):
        return None
    for name, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        through = [steps[1:] for steps in fields if steps[0] is None or name is not None and steps[0] == name]
        kept = item if [] in through else select(through, item) if through else None
        if [] not in through and kept is None:
            continue
        if isinstance(value, dict):
            left[name] = kept
        else:
            left.append(kept)
    return left or None
