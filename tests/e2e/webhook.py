"""webhook.py DIRECTORY - an admission webhook on loopback for tests: writes its port to DIRECTORY/port and a self-signed
certificate to DIRECTORY/cert.pem. /allow admits, /deny refuses, /mutate puts data.k in capitals and adds data.extra, /hang never
answers. Each review is one line of DIRECTORY/log: the path and the object's name."""

import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading

WHERE = sys.argv[1]


def at(name):
    return os.path.join(WHERE, name)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        path = self.path.split("?")[0]
        answer = {"uid": request["uid"], "allowed": path != "/deny"}
        with open(at("log"), "a", encoding="utf-8") as log:
            log.write(f"{path} {request['name']}\n")
        if path == "/hang":
            threading.Event().wait(60)
        if path == "/deny":
            answer["status"] = {"message": "not on a Friday"}
        if path == "/mutate":
            value = request["object"].get("data", {}).get("k", "")
            patch = [{"op": "add", "path": "/data/k", "value": value.upper()}, {"op": "add", "path": "/data/extra", "value": "yes"}]
            answer |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", at("key.pem"), "-out", at("cert.pem"),
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(at("cert.pem"), at("key.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(at("port.new"), "w", encoding="utf-8") as out:
        out.write(str(server.server_address[1]))
    os.rename(at("port.new"), at("port"))
    server.serve_forever()


main()
