import { test } from 'node:test';
import assert from 'node:assert/strict';
import { allows } from '../src/access.js';
import { addPart, NOTHING, verdict } from '../src/auditchain.js';
import { windowsText } from '../src/clusterrules.js';
import { touchedText } from '../src/plan.js';

globalThis.setInterval = () => 0; // the ages of the page go on for ever
globalThis.document = { addEventListener() {}, hidden: false };
const { session } = await import('../src/api.js');
const { mergeAnswers, planClusters } = await import('../src/planworld.js');
const { ungovernedText } = await import('../src/governed.js');

const object = (name, ...clusters) => ({
  apiVersion: 'types.kubefed.io/v1beta1', kind: 'FederatedConfigMap', namespace: 'shop', name,
  clusters: clusters.map((cluster) => ({ name: cluster, action: 'create', bytes: 10 })),
});

test('answers about parts are one answer', () => {
  const one = mergeAnswers([
    { objects: [object('web', 'a'), object('api', 'a')], totals: { create: 2, bytes: 20 }, hidden: 3 },
    { objects: [object('web', 'b')], totals: { create: 1, bytes: 10 }, hidden: 1 },
  ]);
  assert.deepEqual(one.objects.map(({ name, clusters }) => [name, clusters.length]), [['web', 2], ['api', 1]]);
  assert.equal(one.hidden, 3);
  assert.equal(touchedText(one)[0], '2 clusters, 1 namespace, est. 30 B');
  assert.equal(touchedText(one)[1], '3 objects created in clusters');
});

test('a question that is too large is asked in halves, and no other', async () => {
  const asked = [];
  session.value = { user: 'ann' };
  globalThis.fetch = async (path, { body }) => {
    const { names } = JSON.parse(body).spec.clusters;
    asked.push(names.length);
    if (names.length > 2) return { ok: false, status: 422, json: async () => ({ message: 'ask about fewer clusters at a time' }) };
    if (names[0] === 'bad') return { ok: false, status: 422, json: async () => ({ message: 'no cluster "bad" is registered' }) };
    return { ok: true, status: 201, json: async () => ({ status: { objects: [object('web', ...names)], totals: { create: names.length } } }) };
  };
  const status = await planClusters(['a', 'b', 'c', 'd', 'e'], { labels: { x: 'y' } });
  assert.deepEqual(asked, [5, 3, 2, 1, 2]);
  assert.equal(status.totals.create, 5);
  assert.equal(status.objects[0].clusters.length, 5);
  await assert.rejects(planClusters(['bad', 'b'], { deleted: true }), /no cluster/);
});

test('without its policy an object goes where its rollout had not come', () => {
  const plan = { name: 'web', clusters: [{ name: 'a', action: 'unchanged' }, { name: 'b', action: 'update', reason: 'Waiting' }] };
  assert.deepEqual(ungovernedText({ plans: [plan], unseen: 2 }), [
    '1 object that it governs',
    '1 cluster that a rollout has not come to get the newest version of 1 object at once',
    'At least 2 more objects that were not looked at, or that you may not see',
  ]);
  assert.deepEqual(ungovernedText({ plans: [], unseen: 0 }), ['0 objects that it governs', 'No cluster waits for a rollout of them']);
});

test('rules of a namespace', () => {
  const rules = [
    { verbs: ['get', 'list'], apiGroups: ['fedlet.io'], resources: ['rollouts'] },
    { verbs: ['*'], apiGroups: ['types.kubefed.io'], resources: ['*'] },
    { verbs: ['list'], apiGroups: [''], resources: ['secrets'], resourceNames: ['mine'] },
  ];
  assert.equal(allows(rules, 'list', 'fedlet.io', 'rollouts'), true);
  assert.equal(allows(rules, 'patch', 'fedlet.io', 'rollouts'), false);
  assert.equal(allows(rules, 'list', 'types.kubefed.io'), true);
  assert.equal(allows(rules, 'list', '', 'secrets'), false);
});

test('windows are written one in each line', () => {
  assert.equal(windowsText(' Mon-Fri 08:00-18:00 \n\nSat 00:00-24:00 UTC\n'), 'Mon-Fri 08:00-18:00; Sat 00:00-24:00 UTC');
});

test('the audit log holds only when all of it was looked at', () => {
  const part = (records, breaks, next) => ({ records, unchained: 0, breaks, broken: breaks ? [{ file: 'audit.log', offset: 5, why: 'changed' }] : [], chain: 'abcdef0123', next });
  const first = addPart(NOTHING, part(1000, 0, 'place'));
  assert.equal(verdict(first).state, 'syncing');
  assert.equal(first.next, 'place');
  assert.deepEqual(verdict(addPart(first, part(500, 0, null))), { state: 'in-sync', text: 'All 1,500 records are as the hub wrote them, up to abcdef01' });
  assert.equal(verdict(addPart(first, part(1, 1, null))).state, 'failed');
  assert.equal(verdict(addPart(addPart(NOTHING, part(0, 1, 'place')), part(9, 0, null))).state, 'failed');
});
