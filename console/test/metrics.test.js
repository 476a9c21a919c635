import { test } from 'node:test';
import assert from 'node:assert/strict';
import { columns } from '../src/fleet.js';
import { countClasses, kindLook, metricLook, metricOf, METRICS, stepLook, valuesOfColumn, wordLook } from '../src/metrics.js';

const fleet = columns({
  version: 1,
  labelKeys: [],
  strings: [],
  ids: [7, 2, -4],
  clusters: [['a', 0, 0, 10, 0, 0, []], ['b', 2, 3, 10, 7, 1, []], ['c', 3, 0, 0, 0, 0, []]],
});
const classText = (look, index) => look.classes[look.classOf(index)].text;

test('a column finds its clusters by number, and what is not known has no value', () => {
  assert.deepEqual(valuesOfColumn(fleet, { ids: [5, 2, 2, 90], values: [12, -1, 3, 4], strings: [] }), [, 3, 12].map((value) => value));
  assert.deepEqual([...valuesOfColumn(fleet, { ids: [7], values: [1], strings: ['v1', 'v2'] })], ['v2', undefined, undefined]);
});

test('numbers of another run of the hub are those of other clusters', () => {
  const again = { ...fleet, begun: 2 };
  const column = { ids: [7, 2, -4], values: [1, 2, 3], strings: [] };
  assert.deepEqual([...valuesOfColumn(again, { ...column, begun: 1 })], [undefined, undefined, undefined]);
  assert.deepEqual([...valuesOfColumn(again, { ...column, begun: 2 })], [1, 2, 3]);
});

test('figures fall into steps', () => {
  const look = stepLook('bytes', (at) => [0, 99999, 1e5, 5e9, undefined][at], () => false);
  assert.deepEqual([0, 1, 2, 3, 4].map((at) => look.classOf(at)), [0, 0, 1, 5, 6]);
  assert.deepEqual(look.classes.map((one) => one.text), ['less than 100 kB', '100 kB to 1.0 MB', '1.0 MB to 10.0 MB', '10.0 MB to 100 MB', '100 MB to 1.0 GB', '1.0 GB and more', 'not known']);
  assert.deepEqual(stepLook('drift', () => 0, () => false).classes.map((one) => one.text), ['0', '1', '2 to 4', '5 to 9', '10 to 49', '50 and more', 'not known']);
  assert.deepEqual([...countClasses(look, [0, 1, 2, 3, 4])], [2, 1, 0, 0, 0, 1, 1]);
});

test('kinds have colours by name, the rare ones share one', () => {
  const look = kindLook(['1.10', '1.9', '1.9', undefined], () => false);
  assert.deepEqual(look.classes.map((one) => [one.glyph, one.text]), [['A', '1.9'], ['B', '1.10'], ['?', 'not known']]);
  const many = kindLook(Array.from({ length: 30 }, (_, at) => `v${at}`), () => false);
  assert.equal(many.classes.length, 9);
  assert.equal(classText(many, 29), '23 others');
});

test('words have the colours of states', () => {
  const look = wordLook(['Healthy', 'Failed', undefined], () => false, 'not in it');
  assert.deepEqual(look.classes.map((one) => one.id), ['failed', 'in-sync', 'never']);
  assert.deepEqual([0, 1, 2].map((at) => classText(look, at)), ['Healthy', 'Failed', 'not in it']);
});

test('every metric colours every cluster', () => {
  const rows = [{ name: 'a', state: 'Healthy', wave: 'canary', version: 'gen:1' }];
  const column = { ids: [7], values: [0], strings: ['v1'] };
  const data = { behind: { ...column, strings: [] }, bytes: { ...column, strings: [] }, agent: column, kubernetes: column };
  for (const metric of METRICS.slice(1)) {
    const look = metricLook(metric, fleet, data[metric.id] ?? rows);
    for (const at of [0, 1, 2]) assert.ok(look.classes[look.classOf(at)], `${metric.id} of ${at}`);
    assert.equal(look.faint(1), Boolean(metric.remembered), metric.id);
  }
  assert.equal(classText(metricLook(metricOf('drift'), fleet), 1), '5 to 9');
  assert.equal(classText(metricLook(metricOf('drift'), fleet), 2), 'not known');
  assert.equal(metricOf('nonsense').id, '');
});
