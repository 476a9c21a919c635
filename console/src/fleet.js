// Every cluster as columns of numbers: ten thousand rows cost one allocation each, and a delta a few writes.
import { signal } from '@preact/signals';
import { isStale, shownState, STATES } from './states.js';

export const EMPTY = columns({ version: 0, clusters: [], labelKeys: [], strings: [] });

/** Where each cluster is, by the number that the hub has for it: said as the difference to the one before; 0, 1, 2 and so on without. */
function placesOf({ clusters, ids }) {
  const places = new Map();
  let id = 0;
  clusters.forEach((_, at) => places.set((id += ids ? ids[at] : at && 1), at));
  return places;
}

/** Columns of a snapshot of /console/fleet: by name. */
export function columns(snapshot) {
  const rows = snapshot.clusters;
  const fleet = {
    version: snapshot.version,
    begun: snapshot.begun,
    n: rows.length,
    places: placesOf(snapshot),
    names: rows.map((row) => row[0]),
    connectivity: Uint8Array.from(rows, (row) => row[1]),
    delivery: Uint8Array.from(rows, (row) => row[2]),
    since: Float64Array.from(rows, (row) => row[3]),
    drift: Uint32Array.from(rows, (row) => row[4]),
    failed: Uint32Array.from(rows, (row) => row[5]),
    labels: rows.map((row) => row[6]),
    labelKeys: snapshot.labelKeys,
    strings: snapshot.strings,
  };
  fleet.counts = countStates(fleet);
  return fleet;
}

export const shownOf = (fleet, at) => shownState(fleet.connectivity[at], fleet.delivery[at]);
export const staleOf = (fleet, at) => isStale(fleet.connectivity[at]);

export function countStates(fleet) {
  const counts = new Uint32Array(STATES.length);
  for (let at = 0; at < fleet.n; at++) counts[shownOf(fleet, at)]++;
  return counts;
}

/** Writes changes into the columns and returns the indices. */
export function applyChanges(fleet, { version, changes }) {
  const touched = [];
  for (const [id, connectivity, delivery, since, drift, failed] of changes) {
    const at = fleet.places.get(id);
    if (at === undefined) continue;
    fleet.counts[shownOf(fleet, at)]--;
    fleet.connectivity[at] = connectivity;
    fleet.delivery[at] = delivery;
    fleet.since[at] = since;
    fleet.drift[at] = drift;
    fleet.failed[at] = failed;
    fleet.counts[shownOf(fleet, at)]++;
    touched.push(at);
  }
  fleet.version = version;
  return touched;
}

export function labelsOf(fleet, at) {
  const labels = {};
  const pairs = fleet.labels[at];
  for (let i = 0; i < pairs.length; i += 2) labels[fleet.labelKeys[pairs[i]]] = fleet.strings[pairs[i + 1]];
  return labels;
}

/** Indices of the clusters that a query's test has. */
export function select(fleet, test) {
  const found = [];
  for (let at = 0; at < fleet.n; at++) {
    if (test(fleet.names[at], fleet.connectivity[at], fleet.delivery[at], () => labelsOf(fleet, at))) found.push(at);
  }
  return found;
}

/** Indices by the value of a label, the names in order; one group without a name when there is no label. */
export function groupBy(fleet, indices, key) {
  if (!key) return [{ name: '', indices }];
  const wanted = fleet.labelKeys.indexOf(key);
  const groups = new Map();
  for (const at of indices) {
    const pairs = fleet.labels[at];
    let value = '';
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === wanted) value = fleet.strings[pairs[i + 1]];
    if (!groups.has(value)) groups.set(value, []);
    groups.get(value).push(at);
  }
  return [...groups].map(([name, of]) => ({ name: name || `without ${key}`, indices: of })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The store: the columns stay the same while clusters neither come nor leave; revision moves with each change. */
export const fleet = signal(EMPTY);
export const clusterNames = () => fleet.peek().names;
export const revision = signal(0);
