// The federated types of this hub, from its FederatedTypeConfigs.
import { get, resourcePath, SYSTEM } from './api.js';
import { useGet } from './ui/use.js';

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

/** { data: types, error } */
export function useKinds() {
  const list = useGet(path, [CONFIGS]);
  return { ...list, data: list.data && typesOf(list.data) };
}

export const loadKinds = async () => typesOf(await get(path));

export const kindPath = (type, namespace, name) => resourcePath(type.group, type.version, type.resource, namespace, name);
/** How many objects of each kind loadObjects looks at. */
export const OF_KIND = 500;

/** [{ type, items, more }]: the first objects of every kind, none of one that the user may not list. */
export async function loadObjects(signal) {
  const found = [];
  for (const type of await loadKinds()) {
    const list = await get(`${kindPath(type)}?limit=${OF_KIND}`, { signal }).catch((error) => {
      if (error.status === 403) return { items: [], metadata: {} };
      throw error;
    });
    found.push({ type, items: list.items, more: Boolean(list.metadata.continue) });
  }
  return found;
}

export const kindName = (type) => `${type.resource}.${type.group}`;
