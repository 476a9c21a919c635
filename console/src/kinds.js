// The federated types of this hub, from its FederatedTypeConfigs.
import { get, resourcePath, SYSTEM } from './api.js';
import { listPages } from './list.js';
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
