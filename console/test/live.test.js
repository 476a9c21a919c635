import { test } from 'node:test';
import assert from 'node:assert/strict';

const streams = [];
class FakeEventSource {
  static CLOSED = 2;
  listeners = {};
  readyState = 1;
  constructor(url) {
    this.url = url;
    streams.push(this);
  }
  addEventListener(name, callback) {
    this.listeners[name] = callback;
  }
  say(name, data) {
    return this.listeners[name]({ data: JSON.stringify(data) });
  }
  close() {
    this.readyState = 2;
  }
}

const answers = [];
globalThis.EventSource = FakeEventSource;
globalThis.document = { hidden: false, addEventListener() {} };
globalThis.fetch = () => new Promise((resolve, reject) => answers.push({ resolve, reject }));

const { session } = await import('../src/api.js');
const { fleet } = await import('../src/fleet.js');
const live = await import('../src/live.js');

const snapshot = (version, names, delivery = 0) => ({
  ok: true,
  status: 200,
  headers: new Headers({ etag: `W/"${version}"` }),
  json: async () => ({ version, labelKeys: [], strings: [], ids: names.map((_, at) => (at ? 1 : 0)), clusters: names.map((name) => [name, 0, delivery, 1, 0, 0, []]) }),
});
const settle = () => new Promise((resolve) => setImmediate(resolve));
const stateOf = (name) => fleet.value.delivery[fleet.value.names.indexOf(name)];

test('a page that follows its hub', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  session.value = { user: 'ann' };
  live.followSession();
  answers.shift().resolve(snapshot(10, ['b', 'c']));
  await settle();
  const stream = streams.at(-1);
  assert.equal(stream.url, '/console/stream?since=10');
  stream.say('open');

  await t.test('changes behind a reset are of the clusters that come with it', async () => {
    stream.say('reset', { version: 11 });
    stream.say('fleet', { version: 12, changes: [[0, 0, 5, 1, 0, 1]] });
    assert.equal(stateOf('b'), 0); // index 0 was b
    answers.shift().resolve(snapshot(11, ['a', 'b', 'c']));
    await settle();
    assert.equal(stateOf('a'), 5);
    assert.equal(stateOf('b'), 0);
    assert.equal(fleet.value.version, 12);
  });

  await t.test('what is older than the snapshot changes nothing', () => {
    stream.say('fleet', { version: 12, changes: [[1, 0, 4, 1, 0, 0]] });
    assert.equal(stateOf('b'), 0);
  });

  await t.test('who comes and leaves costs no snapshot', () => {
    stream.say('fleet', { version: 13, changes: [[3, 0, 5, 1, 0, 1]], removed: [1], added: [[3, 'aa']], labels: [[3, ['region', 'north']]] });
    assert.deepEqual(fleet.value.names, ['a', 'aa', 'c']);
    assert.equal(stateOf('aa'), 5);
    assert.deepEqual(fleet.value.labelKeys, ['region']);
    assert.equal(fleet.value.version, 13);
    assert.equal(answers.length, 0);
  });

  await t.test('silence is not taken for a fleet at rest', async () => {
    stream.say('beat', {});
    t.mock.timers.tick(39000);
    stream.say('beat', {});
    t.mock.timers.tick(39000);
    assert.equal(live.connection.value.state, 'live');
    t.mock.timers.tick(2000);
    assert.equal(live.connection.value.state, 'behind');
    assert.equal(stream.readyState, FakeEventSource.CLOSED);
  });

  await t.test('an answer behind the signing out shows nothing', async () => {
    session.value = null;
    answers.shift().resolve(snapshot(20, ['a']));
    await settle();
    assert.equal(fleet.value.n, 0);
    t.mock.timers.tick(60000);
    await settle();
    assert.equal(answers.length, 0);
  });
});
