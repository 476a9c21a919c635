import { test } from 'node:test';
import assert from 'node:assert/strict';
import { applyChanges, columns, labelsOf } from '../src/fleet.js';
import { STATES } from '../src/states.js';

const snapshot = () => ({
  version: 5,
  labelKeys: ['region'],
  strings: ['north'],
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
