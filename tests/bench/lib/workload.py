"""The objects that are delivered: as many as asked for, of eight kinds, the same bytes on every run.

A hundred of them are 241 KB of JSON: settings, environment variables, probes, rules, as people write them, with names
and numbers that differ from object to object, and random bytes in Secrets.
"""

import base64
import json
import random
import zlib

IMAGE = "registry.example/shop/app"
WORDS = ("cache queue worker batch region limit timeout retry store session cookie header payment basket search index "
         "price tax stock order mail image thumb upload report export import metric trace level debug info secure "
         "public internal proxy origin shard replica primary backup window rate burst token user group role").split()

# kind: (apiVersion, plural, of a hundred, bytes of JSON each)
KINDS = {
    "Deployment": ("apps/v1", "deployments", 20, 3000),
    "ConfigMap": ("v1", "configmaps", 40, 2270),
    "Secret": ("v1", "secrets", 10, 2300),
    "Service": ("v1", "services", 10, 2200),
    "ServiceAccount": ("v1", "serviceaccounts", 5, 2100),
    "Job": ("batch/v1", "jobs", 5, 2300),
    "Ingress": ("networking.k8s.io/v1", "ingresses", 5, 2300),
    "ReplicaSet": ("apps/v1", "replicasets", 5, 2400),
}


def to_json(obj):
    return json.dumps(obj, separators=(",", ":"), sort_keys=True).encode()


def _key(rng):
    return "_".join(rng.choice(WORDS) for _ in range(rng.randint(2, 3)))


def _value(rng):
    return rng.choice([
        lambda: str(rng.randint(1, 20000)),
        lambda: rng.choice(["true", "false", "auto"]),
        lambda: f"{rng.choice(WORDS)}-{rng.randint(1, 99)}.shop.svc.cluster.local:{rng.randint(1000, 9999)}",
        lambda: f"/var/lib/{rng.choice(WORDS)}/{rng.choice(WORDS)}.{rng.choice(['json', 'conf', 'db'])}",
        lambda: f"{rng.randint(1, 90)}{rng.choice(['s', 'm', 'Mi'])}",
    ])()


def _lines(rng, size):
    text = ""
    while len(text) < size:
        text += f"{_key(rng)} = {_value(rng)}\n"
    return text[:size]


def _pod(rng, name, image, env):
    return {
        "metadata": {"labels": {"app": name, "tier": rng.choice(WORDS)}},
        "spec": {
            "containers": [{
                "name": "app", "image": image, "imagePullPolicy": "IfNotPresent", "env": env,
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "resources": {"limits": {"cpu": "500m", "memory": f"{rng.randint(64, 512)}Mi"},
                              "requests": {"cpu": "10m", "memory": "16Mi"}},
                "readinessProbe": {"httpGet": {"path": f"/{rng.choice(WORDS)}/ready", "port": "http"},
                                   "periodSeconds": rng.randint(5, 30)},
                "livenessProbe": {"httpGet": {"path": f"/{rng.choice(WORDS)}/live", "port": "http"},
                                  "initialDelaySeconds": rng.randint(5, 60)},
                "volumeMounts": [{"name": "settings", "mountPath": "/etc/app", "readOnly": True}],
            }],
            "volumes": [{"name": "settings", "configMap": {"name": f"settings-{rng.randint(0, 39):02}",
                                                           "optional": True}}],
        },
    }


def _body(kind, rng, name):
    """What the kind is about, and the list or map that is filled up to the wanted size."""
    if kind in ("Deployment", "ReplicaSet", "Job"):
        env = []
        pod = _pod(rng, name, f"{IMAGE}:t0", env)
        spec = {"template": pod}
        if kind == "Job":
            spec.update(suspend=True, backoffLimit=2)
            pod["spec"]["restartPolicy"] = "Never"
        else:
            spec.update(replicas=1, selector={"matchLabels": {"app": name}})
        return {"spec": spec}, lambda: env.append({"name": f"{_key(rng)}_{len(env)}".upper(), "value": _value(rng)})
    if kind in ("ConfigMap", "Secret"):
        data = {}

        def add():
            text = _lines(rng, 200)
            if kind == "Secret":
                text = base64.b64encode(rng.randbytes(120)).decode()
            data[f"{_key(rng)}-{len(data)}"] = text
        return {"data": data}, add
    if kind == "Service":
        ports = []
        return ({"spec": {"selector": {"app": name}, "ports": ports}},
                lambda: ports.append({"name": f"p{len(ports)}", "port": 8000 + len(ports), "protocol": "TCP",
                                      "targetPort": rng.randint(2000, 60000)}))
    if kind == "Ingress":
        paths = []
        rule = {"host": f"{name}.shop.example", "http": {"paths": paths}}
        return ({"spec": {"rules": [rule]}},
                lambda: paths.append({"path": f"/{_key(rng)}/{len(paths)}", "pathType": "Prefix", "backend": {
                    "service": {"name": f"service-{rng.randint(0, 9):02}", "port": {"number": 8000}}}}))
    return {}, None


def _fill(obj, add, rng, size):
    """Adds to the object until the next addition would pass its size; an annotation takes what is left."""
    while add and len(to_json(obj)) < size - 320:
        add()
    notes = obj["metadata"].setdefault("annotations", {})
    notes["shop.example/notes"] = ""
    left = size - len(to_json(obj))
    notes["shop.example/notes"] = _lines(rng, max(0, left)).replace("\n", ";")[:max(0, left)]


def make_object(kind, index, namespace):
    api_version, _, _, size = KINDS[kind]
    rng = random.Random(f"{kind} {index}")
    name = f"{kind.lower()}-{index:02}"
    obj = {"apiVersion": api_version, "kind": kind,
           "metadata": {"name": name, "namespace": namespace,
                        "labels": {"app": name, "team": rng.choice(WORDS), "release": "2026.11"}}}
    body, add = _body(kind, rng, name)
    obj.update(body)
    _fill(obj, add, rng, size)
    return obj


def objects(namespace, count=100):
    """count objects in the proportions of KINDS."""
    out = []
    for kind, (_, _, of_hundred, _) in KINDS.items():
        out += [make_object(kind, i, namespace) for i in range(of_hundred * count // 100)]
    return out


def to_jsonl(objs):
    return b"\n".join(to_json(o) for o in objs)


def deflated_size(objs):
    """zlib -9 of all of them together."""
    return len(zlib.compress(to_jsonl(objs), 9))


def placement(site):
    return {"clusterSelector": {"matchLabels": {"site": site}}}


def federated(obj, site):
    """The federated object whose template is obj, placed on the clusters labelled with the site."""
    template = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind")}
    template["metadata"] = {k: v for k, v in obj["metadata"].items() if k in ("labels", "annotations")}
    return {"apiVersion": "types.kubefed.io/v1beta1", "kind": f"Federated{obj['kind']}",
            "metadata": {"name": obj["metadata"]["name"], "namespace": obj["metadata"]["namespace"]},
            "spec": {"template": template, "placement": placement(site)}}


def member_path(obj):
    api_version, plural, _, _ = KINDS[obj["kind"]]
    root = "/apis/" if "/" in api_version else "/api/"
    return f"{root}{api_version}/namespaces/{obj['metadata']['namespace']}/{plural}"


def hub_path(kind, namespace):
    return f"/apis/types.kubefed.io/v1beta1/namespaces/{namespace}/federated{KINDS[kind][1]}"
