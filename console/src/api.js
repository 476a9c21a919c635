// What the page asks of its hub, and nobody else: JSON over the Kubernetes API and over /console/.
import { signal } from '@preact/signals';

/** Who is signed in: undefined while not known, null when nobody. */
export const session = signal(undefined);

/** What the hub said no with; message is the hub's own sentence. */
export class Refusal extends Error {
  constructor(status, message, reason) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

async function refusal(response) {
  let said = {};
  try {
    said = await response.json();
  } catch {
    // No JSON: a proxy in between, or a connection that broke. The status has to do.
  }
  return new Refusal(response.status, said.message ?? `the hub answered ${response.status}`, said.reason);
}

/** One request. A cookie alone writes nothing: the header says that it is this page. */
export async function request(method, path, { body, type = 'application/json', headers = {}, signal: abort } = {}) {
  const response = await fetch(path, {
    method,
    signal: abort,
    credentials: 'same-origin',
    headers: {
      accept: 'application/json',
      'x-fedlet-console': '1',
      ...(body === undefined ? {} : { 'content-type': type }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status === 401 && session.value) session.value = null;
  if (!response.ok && response.status !== 304) throw await refusal(response);
  return response;
}

async function json(method, path, options) {
  return (await request(method, path, options)).json();
}

export const get = (path, options) => json('GET', path, options);
export const create = (path, body) => json('POST', path, { body });
export const merge = (path, body) => json('PATCH', path, { body, type: 'application/merge-patch+json' });
export const replace = (path, body) => json('PUT', path, { body });
export const remove = (path) => json('DELETE', path);

/** The path of a list, or of one object in it. */
export function resourcePath(group, version, resource, namespace, name) {
  const parts = group ? ['/apis', group, version] : ['/api', version];
  if (namespace) parts.push('namespaces', encodeURIComponent(namespace));
  parts.push(resource);
  if (name) parts.push(encodeURIComponent(name));
  return parts.join('/');
}

export const SYSTEM = 'kube-federation-system';
export const clusterPath = (name) => resourcePath('core.kubefed.io', 'v1beta1', 'kubefedclusters', SYSTEM, name);
export const joinRequestPath = (name) => resourcePath('fedlet.io', 'v1alpha1', 'joinrequests', SYSTEM, name);
export const joinTokenPath = (name) => resourcePath('fedlet.io', 'v1alpha1', 'jointokens', SYSTEM, name);
export const rolloutPath = (namespace, name) => resourcePath('fedlet.io', 'v1alpha1', 'rollouts', namespace, name);

/** A list as the server's own table: its columns, and each object's metadata. */
export const getTable = (path, options) =>
  get(path, { ...options, headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
