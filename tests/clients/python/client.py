"""The official Python client against a Kubernetes API server.

    client.py KUBECONFIG NAMESPACE

Prints TAP without a plan. The namespace is made here. Works with old and new releases of the package; what a release does not
have is skipped by name.
"""
import sys
import threading
import traceback
import warnings

import kubernetes
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException

GROUP, VERSION, PLURAL, KIND = "clients.fedlet.io", "v1", "gizmos", "Gizmo"
RELEASE = kubernetes.__version__


def gizmo(name, colour, **labels):
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name, "labels": labels},
        "spec": {"colour": colour},
    }


def colour_of(found):
    return found["spec"]["colour"]


class Skip(Exception):
    pass


def refused(status, reason, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ApiException as e:
        assert e.status == status, e
        assert f'"reason":"{reason}"' in str(e.body).replace('": "', '":"'), e.body
        return
    raise AssertionError(f"not refused with {status} {reason}")


class Suite:
    def __init__(self, kubeconfig, namespace):
        self.api = config.new_client_from_config(kubeconfig)
        self.ns = namespace
        self.core = client.CoreV1Api(self.api)
        self.custom = client.CustomObjectsApi(self.api)
        self.failed = 0

    def run(self, name, case):
        try:
            case()
            print(f"ok - python {RELEASE}: {name}")
        except Skip as e:
            print(f"ok - python {RELEASE}: {name} # SKIP {e}")
        except Exception:
            self.failed += 1
            print(f"not ok - python {RELEASE}: {name}")
            for line in traceback.format_exc().splitlines()[-25:]:
                print(f"#   {line[:400]}")
        sys.stdout.flush()

    # ---- custom objects ----
    def make(self, name, value, **labels):
        return self.custom.create_namespaced_custom_object(
            GROUP, VERSION, self.ns, PLURAL, gizmo(name, value, **labels))

    def get(self, name):
        return self.custom.get_namespaced_custom_object(GROUP, VERSION, self.ns, PLURAL, name)

    def discover(self):
        assert client.VersionApi(self.api).get_code().git_version.startswith("v1.")
        groups = [g.name for g in client.ApisApi(self.api).get_api_versions().groups]
        assert GROUP in groups, groups
        resources = self.core.get_api_resources().resources
        assert {"configmaps", "secrets", "namespaces", "events"} <= {r.name for r in resources}

    def crud(self):
        made = self.make("crud", "1", app="x")
        assert made["metadata"]["uid"] and colour_of(made) == "1", made
        made["spec"]["colour"] = "2"
        put = self.custom.replace_namespaced_custom_object(GROUP, VERSION, self.ns, PLURAL, "crud", made)
        assert put["metadata"]["generation"] == 2, put
        refused(409, "Conflict", self.custom.replace_namespaced_custom_object,
                GROUP, VERSION, self.ns, PLURAL, "crud", made)
        patched = self.custom.patch_namespaced_custom_object(
            GROUP, VERSION, self.ns, PLURAL, "crud", {"spec": {"colour": "3"}})
        assert colour_of(patched) == "3", patched
        refused(409, "AlreadyExists", self.make, "crud", "1")
        gone = self.custom.delete_namespaced_custom_object(GROUP, VERSION, self.ns, PLURAL, "crud")
        assert gone["status"] == "Success" and gone["details"]["uid"] == made["metadata"]["uid"], gone
        refused(404, "NotFound", self.get, "crud")

    def pages(self):
        for i in range(7):
            self.make(f"page-{i}", "x", page="yes")
        names, token, pages = [], None, 0
        while True:
            more = {"_continue": token} if token else {}
            page = self.custom.list_namespaced_custom_object(
                GROUP, VERSION, self.ns, PLURAL, label_selector="page=yes", limit=3, **more)
            names += [o["metadata"]["name"] for o in page["items"]]
            pages += 1
            token = page["metadata"].get("continue")
            if not token:
                break
        assert names == [f"page-{i}" for i in range(7)] and pages == 3, (names, pages)

    def watch(self):
        start = self.custom.list_namespaced_custom_object(GROUP, VERSION, self.ns, PLURAL)
        revision = start["metadata"]["resourceVersion"]

        def write():
            self.make("watched", "1")
            self.custom.patch_namespaced_custom_object(
                GROUP, VERSION, self.ns, PLURAL, "watched", {"spec": {"colour": "2"}})
            self.custom.delete_namespaced_custom_object(GROUP, VERSION, self.ns, PLURAL, "watched")

        writer = threading.Thread(target=write)
        writer.start()
        seen, stream = [], watch.Watch()
        for event in stream.stream(self.custom.list_namespaced_custom_object, GROUP, VERSION, self.ns, PLURAL,
                                   resource_version=revision, timeout_seconds=20):
            seen.append((event["type"], colour_of(event["object"])))
            if event["type"] == "DELETED":
                stream.stop()
        writer.join()
        assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")], seen

    # ---- core kinds, models ----
    def core_kinds(self):
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="core", labels={"a": "b"}), data={"k": "1"})
        made = self.core.create_namespaced_config_map(self.ns, body)
        assert made.metadata.creation_timestamp.tzinfo is not None, made
        made.data["k"] = "2"
        self.core.replace_namespaced_config_map("core", self.ns, made)
        patched = self.core.patch_namespaced_config_map("core", self.ns, {"data": {"k": "3", "l": "4"}})
        assert patched.data == {"k": "3", "l": "4"}, patched
        secret = client.V1Secret(metadata=client.V1ObjectMeta(generate_name="s-"), string_data={"x": "y"})
        made = self.core.create_namespaced_secret(self.ns, secret)
        assert made.data == {"x": "eQ=="} and made.type == "Opaque", made
        listed = self.core.list_config_map_for_all_namespaces(label_selector="a=b", field_selector=f"metadata.namespace={self.ns}")
        assert [m.metadata.name for m in listed.items] == ["core"], listed
        self.core.delete_collection_namespaced_config_map(self.ns, label_selector="a=b")
        refused(404, "NotFound", self.core.read_namespaced_config_map, "core", self.ns)

    def core_watch(self):
        threading.Thread(target=lambda: self.core.create_namespaced_config_map(
            self.ns, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="late")))).start()
        stream = watch.Watch()
        for event in stream.stream(self.core.list_namespaced_config_map, self.ns, timeout_seconds=20):
            if event["object"].metadata.name == "late":
                assert event["type"] == "ADDED", event
                return stream.stop()
        raise AssertionError("the stream ended without the object")

    def reviews(self):
        attributes = client.V1ResourceAttributes(verb="create", group=GROUP, resource=PLURAL, namespace=self.ns)
        review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes))
        answer = client.AuthorizationV1Api(self.api).create_self_subject_access_review(review)
        assert answer.status.allowed is True, answer

    def from_yaml(self):
        text = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "yaml"}, "data": {"a": "b"}}
        utils.create_from_dict(self.api, text, namespace=self.ns)
        assert self.core.read_namespaced_config_map("yaml", self.ns).data == {"a": "b"}

    # ---- the dynamic client: discovery by itself ----
    def dynamic_client(self):
        found = dynamic.DynamicClient(self.api).resources.get(api_version=f"{GROUP}/{VERSION}", kind=KIND)
        made = found.create(body=gizmo("dynamic", "1"), namespace=self.ns)
        assert made.spec.colour == "1", made
        found.patch(body={"spec": {"colour": "2"}}, name="dynamic", namespace=self.ns,
                    content_type="application/merge-patch+json")
        found.patch(body=[{"op": "test", "path": "/spec/colour", "value": "2"}], name="dynamic",
                    namespace=self.ns, content_type="application/json-patch+json")
        listed = found.get(namespace=self.ns, field_selector="metadata.name=dynamic")
        assert [i.spec.colour for i in listed.items] == ["2"], listed
        for event in found.watch(namespace=self.ns, field_selector="metadata.name=dynamic", timeout=20):
            assert event["type"] == "ADDED" and event["object"].metadata.name == "dynamic", event
            break
        found.delete(name="dynamic", namespace=self.ns)

    def apply(self):
        found = dynamic.DynamicClient(self.api).resources.get(api_version=f"{GROUP}/{VERSION}", kind=KIND)
        if not hasattr(found, "server_side_apply") and not hasattr(dynamic.DynamicClient, "server_side_apply"):
            raise Skip("this release has no server_side_apply")
        try:
            one = found.server_side_apply(body=gizmo("applied", "1"), name="applied", namespace=self.ns, field_manager="one")
        except ApiException as e:
            if e.status == 0:
                raise Skip("this release cannot send an apply patch")
            raise
        assert one.metadata.managedFields[0].manager == "one", one
        try:
            found.server_side_apply(body=gizmo("applied", "2"), name="applied", namespace=self.ns, field_manager="two")
        except ApiException as e:
            assert e.status == 409 and "FieldManagerConflict" in str(e.body), e
        else:
            raise AssertionError("no conflict")
        two = found.server_side_apply(body=gizmo("applied", "2"), name="applied", namespace=self.ns,
                                      field_manager="two", force_conflicts=True)
        assert two.spec.colour == "2", two


def main():
    kubeconfig, namespace = sys.argv[1:]
    seen = []
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *_: seen.append(str(message))
    suite = Suite(kubeconfig, namespace)
    suite.core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace)))
    suite.run("discovery and version", suite.discover)
    suite.run("custom objects: create, replace, patch, delete", suite.crud)
    suite.run("custom objects: pages", suite.pages)
    suite.run("custom objects: watch=True", suite.watch)
    suite.run("core kinds by model", suite.core_kinds)
    suite.run("core kinds: watch", suite.core_watch)
    suite.run("access review", suite.reviews)
    suite.run("create from a document", suite.from_yaml)
    suite.run("dynamic client", suite.dynamic_client)
    suite.run("dynamic client: server-side apply", suite.apply)
    suite.core.delete_namespace(namespace)
    for line in sorted(set(seen)):
        print(f"# python {RELEASE} warned: {line[:300]}")
    return 1 if suite.failed else 0


sys.exit(main())
