#!/usr/bin/env python3
"""writer.py KUBECONFIG PREFIX - creates ConfigMaps one after the other until the hub goes away, and prints the name of each
that was acknowledged, once it was."""
import base64
import http.client
import json
import re
import ssl
import sys
import tempfile


def field(text, name):
    return base64.b64decode(re.search(name + r": *\"?([A-Za-z0-9+/=]+)", text).group(1))


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    host, port = re.search(r"server: *\"?https://([^:/\s\"]+):(\d+)", text).groups()
    context = ssl.create_default_context(cadata=field(text, "certificate-authority-data").decode())
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(field(text, "client-certificate-data") + field(text, "client-key-data"))
        pem.flush()
        context.load_cert_chain(pem.name)
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=20)
    for number in range(100000):
        name = f"{sys.argv[2]}-{number}"
        body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b" * 200}})
        try:
            connection.request("POST", "/api/v1/namespaces/default/configmaps", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        if answer.status != 201:
            print(f"status {answer.status}", file=sys.stderr)
            return 1
        print(name, flush=True)
    return 0


sys.exit(main())
