import { test } from 'node:test';
import assert from 'node:assert/strict';
import { rectangleOf, spanOf } from '../src/ui/brush.js';
import { gridSurface } from '../src/ui/layout.js';
import { outlineOf } from '../src/ui/overlay.js';

const range = (from, n) => Array.from({ length: n }, (_, at) => from + at);
const groups = [{ name: 'a', indices: range(0, 70) }, { name: 'b', indices: range(70, 30) }];
const surface = gridSurface(groups, 400, 300, 100);
const columns = Math.round((surface.x[surface.x.indexOf(Math.max(...surface.x.slice(0, 70)))] - surface.x[0]) / surface.size) + 1;

test('a brush has what it touches, and nothing else', () => {
  for (const [one, other] of [[0, 0], [0, 1], [1, columns], [0, 69], [3, 80]]) {
    const rectangle = spanOf(surface, one, other);
    const wanted = range(0, 100).filter((at) =>
      surface.x[at] <= rectangle.right && surface.x[at] + surface.size > rectangle.left && surface.y[at] <= rectangle.bottom && surface.y[at] + surface.size > rectangle.top);
    assert.deepEqual(surface.inside(rectangle).sort((a, b) => a - b), wanted, `${one} to ${other}`);
    assert.ok(wanted.includes(one) && wanted.includes(other));
  }
  assert.deepEqual(surface.inside(rectangleOf({ x: 390, y: 290 }, { x: 399, y: 299 })), []);
});

test('drawn from any corner it is the same', () => {
  assert.deepEqual(rectangleOf({ x: 5, y: 9 }, { x: 1, y: 2 }), rectangleOf({ x: 1, y: 2 }, { x: 5, y: 9 }));
});

test('a title is the whole block, and no cell', () => {
  assert.deepEqual(surface.titleAt(2, 5), range(0, 70));
  assert.equal(surface.indexAt(2, 5), undefined);
  assert.equal(surface.titleAt(399, 299), undefined);
});

test('a line goes around what is selected, and not between', () => {
  assert.equal(outlineOf(surface, [0]).length / 4, 4);
  assert.equal(outlineOf(surface, [0, 1]).length / 4, 6);
  assert.equal(outlineOf(surface, [0, 1, columns, columns + 1]).length / 4, 8);
  assert.equal(outlineOf(surface, [0, 2]).length / 4, 8);
  assert.equal(outlineOf({ ...surface, x: surface.x.map(() => -1) }, [0]).length, 0);
});

test('arrows begin where nothing is pointed at, and reach every cell', () => {
  let at = surface.step(undefined, 'Home');
  const seen = new Set([at]);
  for (let i = 0; i < 99; i++) seen.add((at = surface.step(at, 'ArrowRight')));
  assert.equal(seen.size, 100);
  assert.equal(surface.step(at, 'x'), undefined);
  assert.equal(gridSurface([], 400, 300, 0).step(undefined, 'ArrowRight'), undefined);
});
