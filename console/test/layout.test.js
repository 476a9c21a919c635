import { test } from 'node:test';
import assert from 'node:assert/strict';
import { cellAt, layOut, positions, step } from '../src/ui/layout.js';

const range = (from, n) => Array.from({ length: n }, (_, at) => from + at);
const groups = [{ name: 'a', indices: range(0, 700) }, { name: 'b', indices: range(700, 30) }, { name: 'c', indices: range(730, 1) }];

test('each cluster has a cell of its own, inside the width', () => {
  const laid = layOut(groups, 900, 300);
  const { x, y } = positions(laid, 731);
  const seen = new Set(x.map((at, index) => at * 10000 + y[index]));
  assert.equal(seen.size, 731);
  for (let i = 0; i < 731; i++) assert.ok(x[i] >= 0 && x[i] + laid.size <= 900, `cell ${i}`);
  assert.ok(laid.height <= 300);
});

test('the cell below a point is the one that was put there', () => {
  const laid = layOut(groups, 900, 300);
  const { x, y } = positions(laid, 731);
  for (const index of [0, 1, 699, 700, 729, 730]) {
    const found = cellAt(laid, x[index] + laid.size / 2, y[index] + laid.size / 2);
    assert.equal(found.block.indices[found.at], index);
  }
  assert.equal(cellAt(laid, -1, -1), undefined);
});

test('arrows reach every block and stop at the ends', () => {
  const laid = layOut(groups, 900, 300);
  let cursor = { block: laid.blocks[0], at: 0 };
  const seen = new Set();
  for (let i = 0; i < 2000; i++) {
    seen.add(cursor.block.indices[cursor.at]);
    cursor = step(laid, cursor, 'ArrowRight');
  }
  assert.equal(seen.size, 731);
  assert.deepEqual(step(laid, cursor, 'ArrowRight'), cursor);
  assert.equal(step(laid, cursor, 'Home').block.name, 'a');
  assert.equal(step(laid, cursor, 'x'), undefined);
});

test('fifty thousand cells fit a screen', () => {
  const laid = layOut([{ name: '', indices: range(0, 50000) }], 1240, 560);
  assert.ok(laid.height <= 560, `${laid.height}`);
});

test('a narrow screen has higher blocks', () => {
  const laid = layOut(groups, 360, 300);
  const { x } = positions(laid, 731);
  assert.ok(Math.max(...x) + laid.size <= 360);
});
