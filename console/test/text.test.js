import { test } from 'node:test';
import assert from 'node:assert/strict';
import { diffLines, foldSame } from '../src/diff.js';
import { explain } from '../src/explain.js';
import { ago, bytes, duration, fingerprint } from '../src/format.js';
import { touchedText } from '../src/plan.js';
import { groupDrift, managerOf } from '../src/driftgroups.js';
import { yamlLines } from '../src/yaml.js';

const text = (lines) => lines.map(({ kind, text: one }) => `${{ same: ' ', added: '+', removed: '-' }[kind]}${one}`).join('\n');

test('diff: a line in the middle', () => {
  assert.equal(text(diffLines(['a', 'b', 'c'], ['a', 'x', 'c'])), ' a\n-b\n+x\n c');
  assert.equal(text(diffLines([], ['a'])), '+a');
  assert.equal(text(diffLines(['a', 'b'], [])), '-a\n-b');
});

test('diff: what is applied to the old gives the new', () => {
  let seed = 7;
  const next = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let round = 0; round < 200; round++) {
    const make = () => Array.from({ length: next(12) }, () => 'abc'[next(3)]);
    const [from, to] = [make(), make()];
    const lines = diffLines(from, to);
    assert.deepEqual(lines.filter((line) => line.kind !== 'added').map((line) => line.text), from);
    assert.deepEqual(lines.filter((line) => line.kind !== 'removed').map((line) => line.text), to);
  }
});

test('diff: long equal stretches are folded', () => {
  const long = Array.from({ length: 50 }, (_, at) => `line ${at}`);
  const folded = foldSame(diffLines(long, [...long, 'more']));
  assert.deepEqual(folded[0], { kind: 'skipped', n: 47 });
  assert.equal(folded.length, 5);
});

test('yaml', () => {
  assert.deepEqual(yamlLines({ a: 'x', b: [{ c: 1, d: 'true' }, 'e'], f: {}, g: [], h: null, 'i j': 'k: l', m: '' }), [
    'a: x', 'b:', '  - c: 1', '    d: "true"', '  - e', 'f: {}', 'g: []', 'h: null', 'i j: "k: l"', 'm: ""',
  ]);
});

test('numbers and times', () => {
  assert.equal(bytes(0), '0 B');
  assert.equal(bytes(480123), '480 kB');
  assert.equal(bytes(1500), '1.5 kB');
  assert.equal(duration(12), '12 s');
  assert.equal(duration(3 * 86400 + 4 * 3600 + 5), '3 d 4 h');
  assert.equal(duration(3600), '1 h');
  assert.equal(ago(0), 'never');
  assert.equal(ago(100, 112000), '12 s ago');
  assert.equal(ago(112, 100000), 'in 12 s');
  assert.equal(fingerprint('a1b2c3'), 'a1:b2:c3');
});

const selected = { spec: { placement: { clusterSelector: { matchLabels: { region: 'north' } } } } };

test('why an object is where it is', () => {
  assert.match(explain(selected, 'a', { region: 'north' }, { action: 'unchanged' }), /^Placed: its labels match/);
  assert.match(explain(selected, 'a', { region: 'south' }), /wants region=north \(it has region=south\)/);
  assert.match(explain(selected, 'a', {}), /it has no such label/);
  assert.match(explain({ spec: { placement: { clusters: [{ name: 'b' }] } } }, 'a', {}), /does not name it/);
  assert.match(explain(selected, 'a', { region: 'north' }, { action: 'forbidden', reason: 'Policy', message: 'no-north' }), /Not placed, although .*Policy: no-north/);
  assert.match(explain(selected, 'a', { region: 'north' }, undefined, { reason: 'NamespaceNotFederated' }), /NamespaceNotFederated/);
});

test('what an action touches, from the plan', () => {
  const status = {
    objects: [{ namespace: 'shop', name: 'web', clusters: [{ name: 'a', action: 'update' }, { name: 'b', action: 'unchanged' }] }],
    totals: { update: 1, bytes: 480000 },
  };
  assert.deepEqual(touchedText(status), ['1 cluster, 1 namespace, est. 480 kB', '1 object updated in clusters']);
  assert.match(touchedText({ ...status, rowsCut: true })[0], /^at least/);
});

test('drift is grouped by who set the field', () => {
  assert.equal(managerOf('spec.replicas is 5, not 2: set by "kube-controller-manager" (scale) at x; put back'), 'kube-controller-manager');
  assert.equal(managerOf('data.k was taken away; put back'), 'taken away');
  const one = (name, status, message) => ({ type: { target: 'ConfigMap' }, resource: 'r', object: { metadata: { namespace: 'n', name: 'o' } }, at: { name, status, message } });
  const groups = groupDrift([one('a', 'Drifted', 'set by "x"'), one('b', 'Drifted', 'set by "x"'), one('c', 'Contested', 'set by "y"'), one('d', undefined)]);
  assert.deepEqual(groups.map((group) => [group.state, group.manager, group.clusters.size]), [['Drifted', 'x', 2], ['Contested', 'y', 1]]);
});
