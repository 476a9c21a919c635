import { test } from 'node:test';
import assert from 'node:assert/strict';
import { CONNECTIVITY, DELIVERY, isStale, shownState, STATES, stateText, wordState } from '../src/states.js';

const shown = (connectivity, delivery) => STATES[shownState(CONNECTIVITY.indexOf(connectivity), DELIVERY.indexOf(delivery))].id;

test('the worst of both is shown', () => {
  assert.equal(shown('online', 'in-sync'), 'in-sync');
  assert.equal(shown('online', 'syncing'), 'syncing');
  assert.equal(shown('late', 'syncing'), 'late');
  assert.equal(shown('offline', 'failed'), 'failed');
  assert.equal(shown('quarantined', 'failed'), 'quarantined');
});

test('what is not online is never shown as in sync', () => {
  for (const connectivity of CONNECTIVITY.slice(1)) {
    for (const delivery of DELIVERY) assert.notEqual(shown(connectivity, delivery), 'in-sync', `${connectivity}, ${delivery}`);
  }
});

test('what was last heard is said to be that', () => {
  assert.equal(stateText(2, 0), 'offline, last known in sync');
  assert.equal(stateText(3, 0), 'never seen');
  assert.equal(stateText(0, 3), 'online, drifted');
  assert.deepEqual(CONNECTIVITY.map((_, at) => isStale(at)), [false, false, true, true, true]);
});

test('each state has a glyph of its own', () => {
  assert.equal(new Set(STATES.map((state) => state.glyph)).size, STATES.length);
});

test('a word that nobody knows is a failure, and none is unknown', () => {
  assert.equal(wordState('CreationFailed'), 'failed');
  assert.equal(wordState('Complete'), 'in-sync');
  assert.equal(wordState('ClusterNotReady'), 'offline');
  assert.equal(wordState(undefined), 'never');
});
