// Objects that are not as asked, by kind and by who set the field. Pure.

const WORDS = ['Drifted', 'Contested', 'BeingDeleted', 'ManagedLabelFalse'];

/** The manager that a message names: `spec.replicas is 5, not 2: set by "kubectl-edit" at ...`. */
export const managerOf = (message) => /set by "([^"]*)"/.exec(message ?? '')?.[1] ?? (/taken away/.test(message ?? '') ? 'taken away' : 'unknown');

export function groupDrift(found) {
  const groups = new Map();
  for (const { type, resource, object, at } of found) {
    if (!WORDS.includes(at.status)) continue;
    const manager = managerOf(at.message);
    const key = [at.status, type.target, manager].join('|');
    if (!groups.has(key)) {
      const { namespace, name } = object.metadata;
      groups.set(key, {
        state: at.status,
        kind: type.target,
        manager,
        clusters: new Set(),
        example: { resource, namespace, name, cluster: at.name, message: at.message },
      });
    }
    groups.get(key).clusters.add(at.name);
  }
  return [...groups.values()].sort((a, b) => b.clusters.size - a.clusters.size);
}
