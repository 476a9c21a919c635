"""report.py - reports, as section 9 of docs/protocol.md describes them."""
from bundle import API_VERSION_MAX, KIND_MAX, NAME_MAX, WORKS_MAX
from codec import Cursor, U64_MAX, need, put_string, put_varint

REPORT_MAX, MESSAGE_MAX, REASON_MAX, REMOTE_MAX, FACTS_MAX, VERSION_MAX = 64 << 10, 512, 63, 16 << 10, 4096, 64
ID_MAX = API_VERSION_MAX + KIND_MAX + 2 * NAME_MAX + 3
REPLICAS_MAX = 0x7FFFFFFF
FULL, FACTS, MORE, REMOVED, REMOTE, REMOVED_CUT, SCALES = 1, 2, 4, 8, 16, 32, 64
PENDING, APPLIED, FAILED, WAITING, REMOVING = range(5)
HAS_DEED = (APPLIED, FAILED)  # of a failure: what was tried
TELLS_WHY = (FAILED, WAITING, REMOVING)
APPLIED_NOTED = 5  # on the wire: Applied, with a reason and a message behind it
FAILED_IN_PLACE = 6  # on the wire: Failed, with the version before it that is in place


def cut(text, most):
    """At a character's boundary."""
    if len(text) <= most:
        return text
    while most and text[most] & 0xC0 == 0x80:
        most -= 1
    return text[:most]


def put_indices(items, put):
    out, previous = put_varint(len(items)), 0
    for item in items:
        out += put_varint(item["index"] - previous) + put(item)
        previous = item["index"]
    return out


def put_why(item):
    return put_string(cut(item["reason"], REASON_MAX)) + put_string(cut(item["message"], MESSAGE_MAX))


def put_entry(entry):
    state = entry["state"]
    noted = state == APPLIED and bool(entry["reason"] or entry["message"])
    in_place = state == FAILED and entry.get("in_place", False)
    shown = APPLIED_NOTED if noted else FAILED_IN_PLACE if in_place else state
    out = bytes([shown | entry["health"] << 4 | (entry["deed"] << 6 if state in HAS_DEED else 0)])
    if state == APPLIED or in_place:
        out += put_varint(entry["generation"])
        out += b"" if entry["generation"] else put_string(cut(entry["resource_version"], VERSION_MAX))
    return out + (put_why(entry) if noted or state in TELLS_WHY else b"")


def put_scale(scale):
    out = put_varint(scale["replicas"]) + put_varint(scale["ready"])
    if scale["ready"] != scale["replicas"]:
        out += put_varint(scale["running"]) + put_varint(scale["unschedulable"])
    return out


def encode_report(report):
    removed = report["removed"]
    flags = FULL * report["full"] | MORE * report["more"] | REMOVED * bool(removed) | REMOTE * bool(report["remote"])
    flags |= REMOVED_CUT * bool(removed and report["removed_cut"]) | SCALES * bool(report["scales"])
    flags |= FACTS * bool(report["facts"])
    out = bytes([1, flags]) + report["epoch"].to_bytes(4, "big") + put_varint(report["revision"]) + put_varint(report["seq"])
    out += put_indices(report["entries"], put_entry)
    if removed:
        out += put_varint(len(removed))
        out += b"".join(put_string(item["id"]) + bytes([item["state"]]) + put_why(item) for item in removed)
    if report["remote"]:
        out += put_indices(report["remote"], lambda item: put_string(item["status"]))
    if report["scales"]:
        out += put_indices(report["scales"], put_scale)
    if report["facts"]:
        out += put_string(report["facts"])
    return out


def take_indices(at, least_bytes, take):
    items = []
    for i in range(at.count(WORKS_MAX, least_bytes)):
        step = at.varint(WORKS_MAX)
        need(i == 0 or step)
        index = (items[-1]["index"] if items else 0) + step
        need(index < WORKS_MAX)
        items.append({"index": index, **take(at)})
    return items


def take_why(at):
    return {"reason": at.string(REASON_MAX), "message": at.string(MESSAGE_MAX)}


def take_entry(at):
    byte = at.u8()
    entry = {"state": byte & 15, "health": byte >> 4 & 3, "deed": byte >> 6, "generation": 0, "resource_version": b"",
             "reason": b"", "message": b""}
    noted = entry["state"] == APPLIED_NOTED
    in_place = entry["state"] == FAILED_IN_PLACE
    if noted:
        entry["state"] = APPLIED
    if in_place:
        entry.update(state=FAILED, in_place=True)
    need(entry["state"] <= REMOVING and (entry["state"] in HAS_DEED or not entry["deed"]))
    if entry["state"] == APPLIED or in_place:
        entry["generation"] = at.varint(U64_MAX)
        if not entry["generation"]:
            entry["resource_version"] = at.string(VERSION_MAX)
    if noted or entry["state"] in TELLS_WHY:
        entry.update(take_why(at))
    need(not noted or entry["reason"] or entry["message"])
    return entry


def take_removed(at):
    items = []
    for _ in range(at.count(WORKS_MAX, 4)):
        item = {"id": at.string(ID_MAX), "state": at.u8()}
        need(item["state"] <= REMOVING)
        items.append({**item, **take_why(at)})
    return items


def take_scale(at):
    scale = {"replicas": at.varint(REPLICAS_MAX), "ready": at.varint(REPLICAS_MAX)}
    scale.update(running=scale["ready"], unschedulable=0)
    if scale["ready"] != scale["replicas"]:
        scale.update(running=at.varint(REPLICAS_MAX), unschedulable=at.varint(REPLICAS_MAX))
    return scale


def decode_report(data):
    need(len(data) <= REPORT_MAX, "LIMIT")
    at = Cursor(data)
    need(at.u8() == 1, "UNSUPPORTED")
    flags = at.u8()
    need(not flags & ~0x7F and (flags & REMOVED or not flags & REMOVED_CUT))
    report = {"full": bool(flags & FULL), "more": bool(flags & MORE), "removed_cut": bool(flags & REMOVED_CUT)}
    report.update(epoch=at.u32(), revision=at.varint(U64_MAX), seq=at.varint(U64_MAX))
    report.update(entries=take_indices(at, 2, take_entry), removed=[], remote=[], scales=[], facts=b"")
    sections = ((REMOVED, "removed", take_removed), (REMOTE, "remote", lambda at: take_indices(
        at, 2, lambda at: {"status": at.string(REMOTE_MAX)})), (SCALES, "scales", lambda at: take_indices(at, 3, take_scale)),
                (FACTS, "facts", lambda at: at.string(FACTS_MAX)))
    for bit, key, take in sections:
        if flags & bit:
            report[key] = take(at)
            need(report[key])  # a section that is there is not empty
    need(not at.left())
    return report
