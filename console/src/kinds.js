// The federated types of this hub, from its FederatedTypeConfigs.
import { get, resourcePath, SYSTEM } from './api.js';
import { listPages } from './list.js';
import { useLoaded } from './ui/use.js';

const CONFIGS = 'federatedtypeconfigs.core.kubefed.io';
const path = resourcePath('core.kubefed.io', 'v1beta1', 'federatedtypeconfigs', SYSTEM);

function typesOf(list) {
  return list.items
    .map(({ spec }) => ({
      kind: spec.federatedType.kind,
      resource: spec.federatedType.pluralName,
      group: spec.federatedType.group,
      version: spec.federatedType.version,
      target: spec.targetType.kind,
      namespaced: spec.federatedType.scope === 'Namespaced',
    }))
    .sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** What discovery tells everybody of the kinds in KubeFed's group. */
function typesOfDiscovery({ groupVersion, resources }) {
  const [group, version] = groupVersion.split('/');
  return resources
    .filter(({ name, kind }) => kind.startsWith('Federated') && !name.includes('/'))
    .map(({ name, kind, namespaced }) => ({ kind, resource: name, group, version, target: kind.slice('Federated'.length), namespaced }))
    .sort((a, b) => (a.target < b.target ? -1 : 1));
}

export async function loadKinds(signal) {
  try {
    return typesOf(await get(path, { signal }));
  } catch (error) {
    if (error.status !== 403) throw error;
    return typesOfDiscovery(await get('/apis/types.kubefed.io/v1beta1', { signal }));
  }
}

/** { data: types, error } */
export const useKinds = () => useLoaded(loadKinds, [], [CONFIGS]);

export const kindPath = (type, namespace, name) => resourcePath(type.group, type.version, type.resource, namespace, name);

/** [{ type, items, left, hidden }]: the first pages of objects of every kind; none, and hidden, of one that the user may not list. */
export async function loadObjects(signal, { pages = 1, namespace } = {}) {
  const found = [];
  for (const type of (await loadKinds()).filter((one) => !namespace || one.namespaced)) {
    const list = await listPages(kindPath(type, namespace), signal, pages).catch((error) => {
      if (error.status === 403) return { items: [], left: 0, hidden: true };
      throw error;
    });
    found.push({ type, ...list });
  }
  return found;
}

export const kindName = (type) => `${type.resource}.${type.group}`;
