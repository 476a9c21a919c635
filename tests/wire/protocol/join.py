"""join.py - the two join messages, as section 4 of docs/protocol.md describes them."""
import base64
import json
import re

from codec import is_label_key, is_label_value, is_subdomain, need

MESSAGE_MAX, LABELS_MAX, KEY_MAX, PEM_MAX, NAME_MAX, ID_MAX = 16384, 64, 128, 4095, 253, 32


def put_request(request):
    """In the order in which fedlet writes it; a hub takes any order."""
    return json.dumps({"v": 1, "token": request["token"], "name": request["name"],
                       "publicKey": base64.b64encode(request["public_key"]).decode(), "labels": request["labels"],
                       "proof": base64.b64encode(request["proof"]).decode()}, separators=(",", ":")).encode()


def put_answer(answer):
    message = {"v": 1, "state": "Approved" if answer["approved"] else "Pending"}
    if answer["approved"]:
        message.update(certificate=answer["certificate"], ca=answer["ca"])
    else:
        message.update(retryAfterSeconds=answer["retry_after"])
    message.update(cluster=answer["cluster"])
    return json.dumps(message, separators=(",", ":")).encode()


def unique(pairs):
    need(len({key for key, _ in pairs}) == len(pairs))
    return dict(pairs)


def document(data, keys):
    need(len(data) <= MESSAGE_MAX, "LIMIT")
    try:
        message = json.loads(data.decode(), object_pairs_hook=unique)
    except ValueError:
        need(False)
    need(isinstance(message, dict) and not set(message) - set(keys))
    need(message.get("v") == 1 and type(message["v"]) is int, "UNSUPPORTED")
    return message


def text_of(message, key, most):
    need(isinstance(message.get(key), str))
    need(len(message[key].encode()) <= most, "LIMIT")
    return message[key]


def base64_of(message, key, most):
    text = message.get(key)
    need(isinstance(text, str) and re.fullmatch(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?", text))
    data = base64.b64decode(text)
    need(base64.b64encode(data).decode() == text)
    need(len(data) <= most, "LIMIT")
    return data


def take_request(data):
    message = document(data, ("v", "token", "name", "publicKey", "labels", "proof"))
    request = {"token": text_of(message, "token", ID_MAX), "name": text_of(message, "name", NAME_MAX)}
    need(is_subdomain(request["name"].encode()))
    request["public_key"] = base64_of(message, "publicKey", KEY_MAX)
    request["proof"] = base64_of(message, "proof", 32)
    need(len(request["proof"]) == 32)
    labels = message.get("labels", {})
    need(isinstance(labels, dict))
    need(len(labels) <= LABELS_MAX, "LIMIT")
    for key, value in labels.items():
        need(isinstance(value, str) and is_label_key(key.encode()) and is_label_value(value.encode()))
    request["labels"] = labels
    return request


def take_answer(data):
    message = document(data, ("v", "state", "retryAfterSeconds", "certificate", "ca", "cluster"))
    answer = {"cluster": text_of(message, "cluster", NAME_MAX), "approved": message.get("state") == "Approved"}
    if message.get("state") == "Pending":
        seconds = message.get("retryAfterSeconds")
        need(seconds is not None, "NOT_FOUND")
        need(type(seconds) is int)
        need(0 <= seconds < 1 << 32, "LIMIT")
        answer["retry_after"] = seconds
        return answer
    need(answer["approved"])
    answer["certificate"] = text_of(message, "certificate", PEM_MAX)
    answer["ca"] = text_of(message, "ca", PEM_MAX)
    return answer
