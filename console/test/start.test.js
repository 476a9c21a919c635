import { test } from 'node:test';
import assert from 'node:assert/strict';
import { changedObject, imagesOf, leavesOf, policyOf, readValue, selectorOf, valueAt, wavesOf, withOverride, withValue } from '../src/start.js';
import { withSpec } from '../src/replaced.js';

const deployment = {
  metadata: { name: 'web', namespace: 'shop', annotations: { a: 'b' }, managedFields: [{}] },
  spec: {
    template: { spec: { replicas: 2, template: { spec: { initContainers: [{ name: 'i', image: 'i:1' }], containers: [{ name: 'c', image: 'c:1' }] } } } },
    placement: { clusterSelector: {} },
  },
  status: { clusters: [] },
};
const IMAGE = '/spec/template/spec/containers/0/image';

test('images are found wherever they stand', () => {
  assert.deepEqual(imagesOf(deployment.spec.template).map((one) => [one.name, one.path, one.image]), [
    ['i', '/spec/template/spec/initContainers/0/image', 'i:1'],
    ['c', IMAGE, 'c:1'],
  ]);
});

test('fields by path', () => {
  const object = { data: { 'a/b': '1', 'c~': '2' }, list: [{ x: 1 }] };
  assert.deepEqual(leavesOf(object), ['/data/a~1b', '/data/c~0', '/list/0/x']);
  assert.equal(valueAt(object, '/data/a~1b'), '1');
  assert.equal(valueAt(object, '/data/none/deep'), undefined);
  assert.equal(withValue(object, '/data/c~0', '3').data['c~'], '3');
  assert.equal(withValue(object, '/new/deep', 1).new.deep, 1);
  assert.equal(object.new, undefined);
  for (const path of ['', 'data', '/', '/data/a~1b/c', '/list/1', '/__proto__/x']) assert.throws(() => withValue(object, path, 1), path);
});

test('values are text, or JSON', () => {
  assert.equal(readValue('5', false), '5');
  assert.equal(readValue('5', true), 5);
  assert.throws(() => readValue('five', true));
});

for (const [query, selector] of [
  ['region=north', [{ key: 'region', operator: 'In', values: ['north'] }]],
  ['region!=north !tier', [{ key: 'region', operator: 'NotIn', values: ['north'] }, { key: 'tier', operator: 'DoesNotExist' }]],
  ['region in (north, south)', [{ key: 'region', operator: 'In', values: ['north', 'south'] }]],
  ['', undefined],
  ['shop-* region=north', undefined],
  ['state:offline', undefined],
]) {
  test(`as a selector: ${query || '(nothing)'}`, () => assert.deepEqual(selectorOf(query), selector && { matchExpressions: selector }));
}

test('a change of the template, with the policy that governs it', () => {
  const next = changedObject(deployment, { path: IMAGE, value: 'c:2', everywhere: true }, { names: ['a'] }, 'first');
  assert.equal(valueAt(next.spec.template, IMAGE), 'c:2');
  assert.deepEqual(next.metadata.annotations, { a: 'b', 'fedlet.io/rollout-policy': 'first' });
  assert.equal(next.status, undefined);
  assert.equal(valueAt(deployment.spec.template, IMAGE), 'c:1');
  assert.deepEqual(changedObject(deployment, { path: IMAGE, value: 'c:2', everywhere: true }, {}).metadata.annotations, { a: 'b' });
});

test('a change of the selection alone: each cluster has one entry', () => {
  const before = [{ clusterName: 'a', clusterOverrides: [{ path: IMAGE, value: 'old' }, { path: '/x', value: 1 }] }, { clusterSelector: {}, clusterOverrides: [] }];
  const after = withOverride(before, IMAGE, 'new', { names: ['a', 'b'] });
  assert.deepEqual(after, [
    { clusterName: 'a', clusterOverrides: [{ path: '/x', value: 1 }, { path: IMAGE, op: 'replace', value: 'new' }] },
    before[1],
    { clusterName: 'b', clusterOverrides: [{ path: IMAGE, op: 'replace', value: 'new' }] },
  ]);
  const selector = { matchExpressions: [] };
  assert.deepEqual(withOverride(undefined, '/x', 2, { names: ['a'], selector }), [{ clusterSelector: selector, clusterOverrides: [{ path: '/x', op: 'replace', value: 2 }] }]);
});

const RULES = { name: 'p', canary: '1', soak: '10m', approval: true, atOnce: '25%', maxFailures: '2', onFailure: 'Pause' };

test('a policy with the selection first', () => {
  const policy = policyOf('shop', RULES, { names: ['a', 'b', 'c'] });
  assert.deepEqual(policy.spec, {
    waves: [
      { name: 'canary', clusters: { names: ['a'] }, soak: '10m', approval: 'Required' },
      { name: 'selected', clusters: { names: ['a', 'b', 'c'] }, soak: '10m', approval: 'Required', maxConcurrency: '25%' },
    ],
    onFailure: 'Pause',
    maxFailures: 2,
  });
  assert.deepEqual(policyOf('shop', { name: 'p', canary: '3', onFailure: 'Rollback' }, { names: ['a', 'b', 'c'] }).spec, {
    waves: [{ name: 'selected', clusters: { names: ['a', 'b', 'c'] } }],
    onFailure: 'Rollback',
  });
});

test('waves as the plan has them', () => {
  const rows = [{ name: 'a', action: 'update' }, { name: 'b', action: 'unchanged' }, { name: 'c', action: 'create' }, { name: 'd', action: 'update' }];
  const whom = { names: ['a', 'b', 'z'] };
  assert.deepEqual(wavesOf(policyOf('shop', RULES, whom), rows, whom), [
    { name: 'canary', of: 1, changing: 1 },
    { name: 'selected', of: 1, changing: 0 },
    { name: 'rest', of: 2, changing: 2 },
  ]);
});

test('another spec takes nothing else of the stored object away', () => {
  const stored = {
    metadata: { name: 'p', namespace: 'shop', resourceVersion: '7', finalizers: ['a/b'], ownerReferences: [{ uid: 'u' }], labels: { l: '1' }, managedFields: [{}] },
    spec: { waves: [] },
    status: { objects: 3 },
  };
  assert.deepEqual(withSpec(stored, { apiVersion: 'fedlet.io/v1alpha1', kind: 'RolloutPolicy', metadata: { name: 'p' }, spec: { onFailure: 'Pause' } }), {
    apiVersion: 'fedlet.io/v1alpha1',
    kind: 'RolloutPolicy',
    metadata: { name: 'p', namespace: 'shop', resourceVersion: '7', finalizers: ['a/b'], ownerReferences: [{ uid: 'u' }], labels: { l: '1' } },
    spec: { onFailure: 'Pause' },
  });
});
