import { test } from 'node:test';
import assert from 'node:assert/strict';
import { pattern, readQuery } from '../src/query.js';
import { columns, groupBy, select } from '../src/fleet.js';

const fleet = columns({
  version: 1,
  labelKeys: ['region', 'tier'],
  strings: ['north', 'web', 'south'],
  clusters: [
    ['shop-1', 0, 0, 10, 0, 0, [0, 0, 1, 1]],
    ['shop-2', 2, 5, 10, 0, 1, [0, 2]],
    ['North-3', 0, 3, 10, 2, 0, []],
    ['depot-4', 3, 1, 0, 0, 0, [0, 0]],
  ],
});
const found = (query) => select(fleet, readQuery(query)).map((at) => fleet.names[at]).join(' ');

for (const [query, names] of [
  ['', 'shop-1 shop-2 North-3 depot-4'],
  ['shop-*', 'shop-1 shop-2'],
  ['north', 'North-3'],
  ['*-3', 'North-3'],
  ['p-', 'shop-1 shop-2'],
  ['p-*', ''],
  ['state:offline', 'shop-2'],
  ['state:drifted', 'North-3'],
  ['state:online state:in-sync', 'shop-1'],
  ['state:offline state:never', 'shop-2 depot-4'],
  ['region=north', 'shop-1 depot-4'],
  ['region==north tier=web', 'shop-1'],
  ['region!=north', 'shop-2 North-3'],
  ['!region', 'North-3'],
  ['region in (north, south)', 'shop-1 shop-2 depot-4'],
  ['region notin (north)', 'shop-2 North-3'],
  ['region in (north) shop', 'shop-1'],
  ['region=north,tier=web', 'shop-1'],
  ['[', ''],
  ['*', 'shop-1 shop-2 North-3 depot-4'],
  ['s*p*1', 'shop-1'],
  ['shop-1*1', ''],
  ['*o*p*', 'shop-1 shop-2'],
]) {
  test(`query ${query || '(nothing)'}`, () => assert.equal(found(query), names));
}

for (const query of ['state:red', 'ns:shop', 'a=b=c', '!', '=x']) {
  test(`no query: ${query}`, () => assert.throws(() => readQuery(query)));
}

test('a pattern of many * is no work', () => {
  const name = `${'a'.repeat(252)}b`;
  const hostile = pattern(`${'*a'.repeat(120)}*c`);
  const began = performance.now();
  for (let i = 0; i < 10000; i++) assert.equal(hostile(name), false);
  assert.ok(performance.now() - began < 2000);
});

test('a query has an end', () => assert.throws(() => readQuery('a'.repeat(1025)), /1024/));

test('groups by a label, those without it under a name of their own', () => {
  const groups = groupBy(fleet, [0, 1, 2, 3], 'region').map((group) => [group.name, group.indices]);
  assert.deepEqual(groups, [['north', [0, 3]], ['south', [1]], ['without region', [2]]]);
});
