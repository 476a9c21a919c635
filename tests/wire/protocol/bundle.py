"""bundle.py - works, manifests, frames, as sections 7 and 8 of docs/protocol.md describe them."""
import hashlib
import os
import re
import zlib

from codec import Cursor, Refused, U32_MAX, U64_MAX, is_label, is_subdomain, need, put_string, put_varint

API_VERSION_MAX, KIND_MAX, PLURAL_MAX, NAME_MAX = 317, 63, 63, 253
OVERRIDES_MAX, WORKS_MAX, BLOB_MAX = 64 << 10, 20000, 3 << 19
FRAME_MAX, WORKS_SECTION_MAX, BLOBS_SECTION_MAX = 32 << 20, 8 << 20, 64 << 20
NAMESPACED, ORPHAN = 0x01, 0x08
ORDERED = 0x01  # of a removal
OPTIONS_ALL = 0xFFFFFF7F
BODY, WORKS_DEFLATED, BLOBS_DEFLATED, FULL = 1, 2, 4, 8
WHAT_BLOB, WHAT_OVERRIDES, WHAT_OPTIONS, WHAT_API_VERSION, WHAT_PLURAL = 1, 2, 4, 8, 16

with open(os.path.join(os.path.dirname(__file__), "../vectors/dictionary-1.bin"), "rb") as file:
    DICTIONARY = file.read()


# ---- 7 works ----
# A work: api_version, kind, plural, ns, name, overrides (bytes), options (int), blob (32 bytes).

def identity(work):
    group, slash, _ = work["api_version"].partition(b"/")
    return group if slash else b"", work["kind"], work["ns"], work["name"]


def is_api_version(text):
    group, slash, version = text.partition(b"/")
    return len(text) <= API_VERSION_MAX and (is_subdomain(group) and is_label(version) if slash else is_label(text))


def is_kind(text):
    return 0 < len(text) <= KIND_MAX and bool(re.fullmatch(rb"[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?", text))


def is_name(text):
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return 0 < len(text) <= NAME_MAX and text not in (b".", b"..") and not re.search(rb"[\0- \x7f/%]", text)


def check_work(work):
    need(is_api_version(work["api_version"]) and is_kind(work["kind"]) and is_label(work["plural"]))
    need(is_name(work["name"]) and not work["options"] & ~OPTIONS_ALL)
    need(bool(work["options"] & NAMESPACED) == bool(work["ns"]))
    need(not work["ns"] or is_label(work["ns"]))
    need(len(work["overrides"]) <= OVERRIDES_MAX, "LIMIT")


def put_names(work):
    return b"".join(put_string(work[key]) for key in ("api_version", "kind", "plural", "ns", "name"))


def take_names(at):
    limits = (("api_version", API_VERSION_MAX), ("kind", KIND_MAX), ("plural", PLURAL_MAX), ("ns", NAME_MAX), ("name", NAME_MAX))
    return {key: at.string(most) for key, most in limits}


def put_work(work):
    return put_names(work) + put_varint(work["options"]) + work["blob"] + put_string(work["overrides"])


def take_work(at):
    work = take_names(at)
    work["options"] = at.varint(OPTIONS_ALL)
    work["blob"] = at.bytes(32)
    work["overrides"] = at.string(OVERRIDES_MAX)
    check_work(work)
    return work


def work_id(work):
    return b"/".join((work["api_version"], work["kind"], work["ns"], work["name"]))


def manifest_digest(works):
    return hashlib.sha256(b"".join(put_work(work) for work in works)).digest()


# ---- 8.3 compression ----

def window_bits(dictionary, content):
    bits = 9
    while bits < 15 and 1 << bits < dictionary + content + 262:
        bits += 1
    return bits


def deflate(dictionary, content):
    dictionary = dictionary[-32768:]
    z = zlib.compressobj(9, zlib.DEFLATED, -window_bits(len(dictionary), len(content)), 8, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return z.compress(content) + z.flush()


def inflate(dictionary, data, size):
    dictionary = dictionary[-32768:]
    need(data and size and size // 1032 <= len(data))
    z = zlib.decompressobj(-window_bits(len(dictionary), size), dictionary)
    try:
        content = z.decompress(data, size + 1)
    except zlib.error:
        raise Refused("INVALID") from None
    need(len(content) == size and z.eof and not z.unused_data and not z.unconsumed_tail)
    return content


def blobs_dictionary(old_digests, blobs):
    """old_digests: of the works whose next blob travels, in order."""
    content = b""
    seen = set()
    first = []
    for digest in old_digests:
        if digest not in seen:
            first.append(digest)
        seen.add(digest)
    for digest in reversed(first):  # only those that count are looked up
        if len(content) >= 32768:
            break
        need(digest in blobs, "NOT_FOUND")
        content = blobs[digest] + content
    return (DICTIONARY + content)[-32768:]


def put_section(content, dictionary, compress):
    packed = deflate(dictionary, content) if compress and len(content) >= 24 else b""
    if not packed or len(packed) + 3 >= len(content):
        return False, put_string(content)
    return True, put_varint(len(packed)) + put_varint(len(content)) + packed


# ---- 8.1 head ----

def put_head(head, flags=0):
    if not head["base"]:
        flags |= FULL
    return bytes([1, flags]) + head["epoch"].to_bytes(4, "big") + (put_varint(head["base"]) if head["base"] else b"") + \
        put_varint(head["revision"]) + head["digest"]


def take_head(at):
    need(at.u8() == 1, "UNSUPPORTED")
    flags = at.u8()
    need(not flags & ~0x0F)
    head = {"epoch": at.u32(), "base": 0}
    if not flags & FULL:
        head["base"] = at.varint(U64_MAX)
        need(head["base"])
    head["revision"] = at.varint(U64_MAX)
    head["digest"] = at.bytes(16)
    need(head["revision"] > head["base"])
    need(flags & BODY or not flags & (WORKS_DEFLATED | BLOBS_DEFLATED))
    return head, flags


# ---- 8.2 bodies ----
def removal_id(work):
    """Section 9.3: which work, whatever its version."""
    group = work["api_version"].partition(b"/")[0] if b"/" in work["api_version"] else b""
    return hashlib.sha256(b"\0".join((group, work["kind"], work["ns"], work["name"]))).digest()[:16]


def put_removals(ids):
    """The answer to GET /r."""
    return b"\1" + put_varint(len(ids)) + b"".join(sorted(ids))


def take_removals(data):
    at = Cursor(data)
    need(at.u8() == 1, "UNSUPPORTED")
    n = at.varint(WORKS_MAX)
    need(at.left() >= 16 * n, "TRUNCATED")
    ids = [at.bytes(16) for _ in range(n)]
    need(not at.left())
    need(all(a < b for a, b in zip(ids, ids[1:])))
    return ids


# A manifest: epoch, revision (0: the empty bundle), works in order of identity.

EMPTY = {"epoch": 0, "revision": 0, "works": []}


def changes_of(base, new):
    fields = ((WHAT_BLOB, "blob"), (WHAT_OVERRIDES, "overrides"), (WHAT_OPTIONS, "options"), (WHAT_API_VERSION, "api_version"),
              (WHAT_PLURAL, "plural"))
    return sum(bit for bit, key in fields if base[key] != new[key])


def encode_frame(base, target, blobs, compress=True, ordered=()):
    """The frame that fedhub makes. blobs: digest to bytes. ordered: indices of the base whose removal was ordered."""
    base = base if base["revision"] else EMPTY
    old = {identity(work): i for i, work in enumerate(base["works"])}
    new = {identity(work): work for work in target["works"]}
    removed = [i for i, work in enumerate(base["works"]) if identity(work) not in new]
    changed = [(i, new[identity(work)]) for i, work in enumerate(base["works"]) if identity(work) in new and
               new[identity(work)] != work]
    added = [work for work in target["works"] if identity(work) not in old]
    sources = {}
    for i, work in reversed(list(enumerate(base["works"]))):
        sources[work["blob"]] = i + 1
    travel, before = [], []

    def source(work, old_blob=None):
        digest = work["blob"]
        if digest in sources:
            return put_varint(sources[digest])
        sources[digest] = len(base["works"]) + 1 + len(travel)
        travel.append(blobs[digest])
        if old_blob:
            before.append(old_blob)
        return put_varint(0)

    works, previous = put_varint(len(removed)), 0
    for i in removed:
        works += put_varint(i - previous) + put_varint(base["works"][i]["options"] & ORPHAN | ORDERED * (i in ordered))
        previous = i
    works, previous = works + put_varint(len(changed)), 0
    for i, work in changed:
        what = changes_of(base["works"][i], work)
        works += put_varint(i - previous) + bytes([what])
        works += source(work, base["works"][i]["blob"]) if what & WHAT_BLOB else b""
        works += put_string(work["overrides"]) if what & WHAT_OVERRIDES else b""
        works += put_varint(work["options"]) if what & WHAT_OPTIONS else b""
        works += put_string(work["api_version"]) if what & WHAT_API_VERSION else b""
        works += put_string(work["plural"]) if what & WHAT_PLURAL else b""
        previous = i
    works += put_varint(len(added))
    for work in added:
        works += put_names(work) + put_varint(work["options"]) + source(work) + put_string(work["overrides"])
    content = put_varint(len(travel)) + b"".join(put_string(blob) for blob in travel)
    works_packed, works = put_section(works, DICTIONARY, compress)
    blobs_packed, content = put_section(content, blobs_dictionary(before, blobs), compress)
    head = {"epoch": target["epoch"], "base": base["revision"], "revision": target["revision"],
            "digest": manifest_digest(target["works"])[:16]}
    return put_head(head, BODY | works_packed * WORKS_DEFLATED | blobs_packed * BLOBS_DEFLATED) + works + content


def take_sections(at, flags):
    sections = []
    for bit, most in ((WORKS_DEFLATED, WORKS_SECTION_MAX), (BLOBS_DEFLATED, BLOBS_SECTION_MAX)):
        size = at.varint(FRAME_MAX)
        inflated = at.varint(most) if flags & bit else None
        need(flags & bit or size <= most, "LIMIT")
        sections.append((at.bytes(size), inflated))
    need(not at.left())
    return sections


def take_index(at, after, n_works):
    """after: the index before it, or None."""
    step = at.varint(WORKS_MAX)
    need(after is None or step)
    index = (after or 0) + step
    need(index < n_works)
    return index


def take_changed(at, work):
    what = at.u8()
    need(what and not what & ~0x1F)
    work = dict(work)
    source = at.varint(U32_MAX) if what & WHAT_BLOB else None
    if what & WHAT_OVERRIDES:
        work["overrides"] = at.string(OVERRIDES_MAX)
    if what & WHAT_OPTIONS:
        work["options"] = at.varint(U32_MAX)
    if what & WHAT_API_VERSION:
        work["api_version"] = at.string(API_VERSION_MAX)
    if what & WHAT_PLURAL:
        work["plural"] = at.string(PLURAL_MAX)
    return work, source


def take_works(at, base):
    n_base, removed, changes = len(base["works"]), {}, []
    index = None
    for _ in range(at.count(n_base, 2)):
        index = take_index(at, index, n_base)
        removed[index] = at.varint(U32_MAX)
        need(not removed[index] & ~(ORPHAN | ORDERED))
    index = None
    for _ in range(at.count(n_base, 3)):
        index = take_index(at, index, n_base)
        work, source = take_changed(at, base["works"][index])
        check_work(work)
        changes.append((index, work, source))
    for _ in range(at.count(WORKS_MAX, 8)):
        work = take_names(at)
        work["options"] = at.varint(U32_MAX)
        source = at.varint(U32_MAX)
        work["overrides"] = at.string(OVERRIDES_MAX)
        check_work(work)
        changes.append((None, work, source))
    need(not at.left())
    return removed, changes


def take_blobs(at, most):
    travelled = [at.string(BLOB_MAX) for _ in range(at.count(most, 1))]
    need(not at.left())
    return travelled


def resolve(base, changes, travelled):
    n_base, digests, used = len(base["works"]), [hashlib.sha256(blob).digest() for blob in travelled], 0
    for _, work, source in changes:
        if source == 0 and source is not None:
            need(used < len(digests))
            work["blob"] = digests[used]
            used += 1
        elif source is not None and source <= n_base:
            work["blob"] = base["works"][source - 1]["blob"]
        elif source is not None:
            need(source - n_base - 1 < used)
            work["blob"] = digests[source - n_base - 1]
    need(used == len(digests))


def assemble(base, removed, changes):
    changed = {index: work for index, work, _ in changes if index is not None}
    need(not set(changed) & set(removed))
    works = [changed.get(i, work) for i, work in enumerate(base["works"]) if i not in removed]
    added = [work for index, work, _ in changes if index is None]
    need(len(works) + len(added) <= WORKS_MAX, "LIMIT")
    both = sorted(works + added, key=identity)
    need(sorted(set(map(identity, both))) == [identity(work) for work in both])
    need([identity(work) for work in added] == sorted(identity(work) for work in added))
    return both


def decode_frame(data, base, blobs):
    """What an agent that holds base makes of a frame: the target manifest, removed {index: options}, blobs that travelled."""
    need(len(data) <= FRAME_MAX, "LIMIT")
    at = Cursor(data)
    head, flags = take_head(at)
    need(flags & BODY)
    if head["base"]:
        need(head["base"] == base["revision"] and head["epoch"] == base["epoch"], "CONFLICT")
    else:
        base = EMPTY
    (works, works_size), (content, content_size) = take_sections(at, flags)
    if works_size is not None:
        works = inflate(DICTIONARY, works, works_size)
    removed, changes = take_works(Cursor(works), base)
    if content_size is not None:
        before = [base["works"][index]["blob"] for index, _, source in changes if index is not None and source == 0]
        content = inflate(blobs_dictionary(before, blobs), content, content_size)
    travelled = take_blobs(Cursor(content), len(changes))
    resolve(base, changes, travelled)
    target = {"epoch": head["epoch"], "revision": head["revision"], "works": assemble(base, removed, changes)}
    need(manifest_digest(target["works"])[:16] == head["digest"], "DIGEST")
    return target, removed, travelled
