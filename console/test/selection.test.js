import { test } from 'node:test';
import assert from 'node:assert/strict';
import { changed, decodeNames, encodeNames, TEXT_MAX } from '../src/selection.js';

const pad = (n) => `shop-${String(n).padStart(6, '0')}`;
const fleet = ['a', 'a.b', 'gw-007', 'gw-010', 'gw-011', 'gw-012', 'gw-015', 'gw-1', 'x9', 'x10'];

for (const [names, text] of [
  [[], ''],
  [['a'], 'a'],
  [['a', 'a.b'], 'a_a.b'],
  [['gw-007', 'gw-010', 'gw-011', 'gw-012', 'gw-015'], 'gw-007_*10*12_*15'],
  [['gw-015', 'gw-1'], 'gw-015_gw-1'],
  [['x9', 'x10'], 'x9_x10'],
]) {
  test(`as a link: ${names.join(' ') || 'nothing'}`, () => {
    assert.equal(encodeNames(names), text);
    assert.deepEqual(decodeNames(text, fleet), names);
  });
}

test('every selection of a thousand comes back as it was', () => {
  const all = Array.from({ length: 1000 }, (_, at) => pad(at));
  let seed = 7;
  for (let round = 0; round < 50; round++) {
    const names = all.filter(() => (seed = (seed * 48271) % 2147483647) % 3 > 0);
    const text = encodeNames(names);
    assert.deepEqual(decodeNames(text, all), names);
    assert.equal(new URLSearchParams({ sel: text }).toString(), `sel=${text}`);
  }
});

test('ten thousand neighbours are short', () => {
  const text = encodeNames(Array.from({ length: 10000 }, (_, at) => pad(at)));
  assert.equal(text, 'shop-000000*9999');
});

test('a brush over half a grid fits into a link', () => {
  const rows = Array.from({ length: 80 }, (_, row) => Array.from({ length: 60 }, (_, column) => pad(row * 125 + column))).flat();
  assert.ok(encodeNames(rows).length < TEXT_MAX);
});

test('a hostile link costs a look at each name', () => {
  const began = performance.now();
  assert.deepEqual(decodeNames('gw-000*999_*1*999999999_*x_**_*', fleet), ['gw-007', 'gw-010', 'gw-011', 'gw-012', 'gw-015']);
  assert.ok(performance.now() - began < 200);
});

test('what is done to a selection', () => {
  assert.deepEqual([...changed([1, 2], [2, 3], 'replace')], [2, 3]);
  assert.deepEqual([...changed([1, 2], [2, 3], 'add')], [1, 2, 3]);
  assert.deepEqual([...changed([1, 2], [2, 3], 'toggle')], [1, 3]);
});
