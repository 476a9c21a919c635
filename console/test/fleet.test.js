import { test } from 'node:test';
import assert from 'node:assert/strict';
import { applyChanges, columns, labelsOf } from '../src/fleet.js';
import { withComings } from '../src/comings.js';
import { STATES } from '../src/states.js';

const snapshot = () => ({
  version: 5,
  labelKeys: ['region'],
  strings: ['north'],
  ids: [0, 1],
  clusters: [['a', 0, 0, 1, 0, 0, [0, 0]], ['b', 3, 0, 0, 0, 0, []]],
});
const countOf = (fleet, id) => fleet.counts[STATES.findIndex((state) => state.id === id)];

test('changes move counts and version', () => {
  const fleet = columns(snapshot());
  assert.equal(countOf(fleet, 'in-sync'), 1);
  assert.deepEqual(applyChanges(fleet, { version: 6, changes: [[0, 2, 0, 99, 0, 0], [1, 0, 3, 98, 4, 0]] }), [0, 1]);
  assert.equal(fleet.version, 6);
  assert.deepEqual(['in-sync', 'offline', 'drifted', 'never'].map((id) => countOf(fleet, id)), [0, 1, 1, 0]);
  assert.equal(fleet.drift[1], 4);
});

test('a change of a cluster that is not there is passed over', () => {
  const fleet = columns(snapshot());
  assert.deepEqual(applyChanges(fleet, { version: 6, changes: [[7, 0, 0, 0, 0, 0]] }), []);
});

test('counts stay right over many random changes', () => {
  const fleet = columns(snapshot());
  let seed = 1;
  const next = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let i = 0; i < 1000; i++) applyChanges(fleet, { version: i, changes: [[next(2), next(5), next(6), i, next(3), next(3)]] });
  const again = columns({ ...snapshot(), clusters: [0, 1].map((at) => ['x', fleet.connectivity[at], fleet.delivery[at], 0, 0, 0, []]) });
  assert.deepEqual(fleet.counts, again.counts);
});

test('labels', () => {
  assert.deepEqual(labelsOf(columns(snapshot()), 0), { region: 'north' });
});

test('clusters that come, leave and are labelled otherwise', () => {
  const before = columns({ ...snapshot(), ids: [7, -2] }); // a is 7, b is 5
  assert.equal(withComings(before, { changes: [] }), before);
  const after = withComings(before, { removed: [7, 1], added: [[9, 'aa'], [10, 'c'], [5, 'b']], labels: [[9, ['region', 'north', 'tier', 'web']], [5, []], [8, ['x', 'y']]] });
  assert.deepEqual(after.names, ['aa', 'b', 'c']);
  assert.deepEqual([...after.places], [[9, 0], [5, 1], [10, 2]]);
  assert.deepEqual([0, 1, 2].map((at) => labelsOf(after, at)), [{ region: 'north', tier: 'web' }, {}, {}]);
  assert.deepEqual(after.labelKeys, ['region', 'tier']);
  assert.deepEqual(applyChanges(after, { version: 6, changes: [[10, 0, 5, 1, 0, 2], [5, 2, 0, 1, 0, 0], [7, 0, 5, 1, 0, 1]] }), [2, 1]);
  assert.deepEqual([...after.connectivity], [0, 2, 0]);
  assert.deepEqual(['in-sync', 'failed', 'offline', 'never'].map((id) => countOf(after, id)), [1, 1, 1, 0]);
  assert.deepEqual(before.names, ['a', 'b']);
  assert.deepEqual(labelsOf(before, 0), { region: 'north' });
  assert.equal(countOf(before, 'never'), 1);
});

test('only labels: the numbers stay the same columns', () => {
  const before = columns(snapshot());
  const after = withComings(before, { labels: [[1, ['region', 'south']]] });
  assert.deepEqual(labelsOf(after, 1), { region: 'south' });
  assert.deepEqual(labelsOf(before, 1), {});
  assert.equal(after.delivery, before.delivery);
  assert.equal(after.counts, before.counts);
});
