import { test } from 'node:test';
import assert from 'node:assert/strict';

const answers = [];
globalThis.fetch = () => new Promise((resolve) => answers.push(resolve));
const { session } = await import('../src/api.js');
const { may } = await import('../src/rights.js');

const answer = (status, body) => ({ ok: status < 300, status, json: async () => body });
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('no answer is no refusal', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  session.value = { user: 'ann' };
  assert.equal(may('list', 'fedlet.io', 'rollouts'), undefined);
  answers.shift()(answer(503, { message: 'stopping' }));
  await settle();
  assert.equal(may('list', 'fedlet.io', 'rollouts'), undefined);
  t.mock.timers.tick(3000);
  answers.shift()(answer(201, { status: { allowed: true } }));
  await settle();
  assert.equal(may('list', 'fedlet.io', 'rollouts'), true);
});

test('who signs out is asked for no more', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  may('get', '', 'secrets');
  session.value = null;
  answers.shift()(answer(503, {}));
  await settle();
  t.mock.timers.tick(60000);
  assert.equal(answers.length, 0);
});
