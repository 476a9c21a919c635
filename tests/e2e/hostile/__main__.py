"""hostile KUBECONFIG HUB_PID CASE - one case against a running hub; `hostile KUBECONFIG - print` shows what any API server
answers to each request of messages.py."""
import concurrent.futures
import json
import resource
import sys

import connections
import messages
from peer import Server, others_unaffected

USER_WATCHES = 5000  # HUB_LIMIT_USER_WATCHES



def slow_beside_tls(server):
    """The slow ones take their time; meanwhile others garble."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(connections.slow, server)
        connections.tls(server)
        waiting.result()


CASES = {
    "bodies": lambda s: messages.rows(s, messages.BODIES),
    "patches": lambda s: messages.rows(s, messages.PATCHES),
    "paths": lambda s: messages.rows(s, messages.PATHS),
    "http1": messages.http1,
    "smuggling": connections.smuggling,
    "frames": connections.frames,
    "lies": connections.lies,
    "slow": slow_beside_tls,
    "lists": connections.lists,
    "unread": connections.unread,
    "watches": lambda s: connections.watches(s, USER_WATCHES),
    "storm": lambda s: connections.storm(s, 1500),
}


def prepare(server):
    for path, body in (("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hostile"}}),
                       (messages.MAPS, messages.config_map("base", data={"a": "b"}))):
        answer = server.ask("POST", path, json.dumps(body))
        assert answer.code in (201, 409), answer


def show(server):
    for table in (messages.BODIES, messages.PATCHES, messages.PATHS):
        for name, ask, codes, _ in table:
            answer = ask(server)
            known = answer is not None and answer.body[:1] == b"{"
            said = answer.json() if known else {}
            print(f"{name:45} {answer.code if answer else 'closed'} {said.get('reason', '')} "
                  f"{str(said.get('message', answer.body[:80] if answer else ''))[:150]!r}"
                  f"{'' if answer and answer.code in (codes if isinstance(codes, set) else {codes}) else '   <-- ' + str(codes)}")


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = Server(sys.argv[1], sys.argv[2])
    prepare(server)
    if sys.argv[3] == "print":
        show(server)
        return
    with others_unaffected(server):
        CASES[sys.argv[3]](server)


main()
