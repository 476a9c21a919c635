#!/usr/bin/env python3
"""mutating_webhook.py DIR - a mutating webhook on loopback: gives each ConfigMap named "hooked" data.k "hooked" and an annotation. Writes its key,
certificate and DIR/configuration.json (a MutatingWebhookConfiguration), then serves until it is killed."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import sys

PATCH = [{"op": "add", "path": "/data/k", "value": "hooked"}, {"op": "add", "path": "/metadata/annotations", "value": {"hooked": "yes"}}]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"uid": review["request"]["uid"], "allowed": True}
        if review["request"]["name"] == "hooked":
            answer.update(patchType="JSONPatch", patch=base64.b64encode(json.dumps(PATCH).encode()).decode())
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def configuration(port, ca):
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "hooked"}, "webhooks": [{
        "name": "hooked.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
        "clientConfig": {"url": f"https://127.0.0.1:{port}/", "caBundle": base64.b64encode(ca).decode()},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}]}]}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "2", "-subj", "/CN=webhook", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(certificate, "rb") as file:
        text = json.dumps(configuration(server.server_address[1], file.read()))
    with open(f"{folder}/configuration.json.new", "w") as file:
        file.write(text)
    os.rename(f"{folder}/configuration.json.new", f"{folder}/configuration.json")
    server.serve_forever()


if __name__ == "__main__":
    main()
