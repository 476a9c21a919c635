// The fleet as it changes: a snapshot, then deltas of the event stream; without a stream, the snapshot again and again.
import { signal } from '@preact/signals';
import { request, session } from './api.js';
import { applyChanges, columns, EMPTY, fleet, revision } from './fleet.js';

const POLL_MS = 5000;
const STREAM_AGAIN_MS = 30000;
const BEHIND_MS = 5000;
const GATHER_MS = 500;

/** connecting, live, polling, behind or stopped; and since when the page knows nothing newer. */
export const connection = signal({ state: 'connecting', heard: Date.now() });

const changeListeners = new Set(); // (indices or null for all)
const touchListeners = new Map(); // resource -> Set of callbacks
let stream;
let etag;
let timer;
let behindTimer;
let gathered = new Set();
let gatherTimer;

function say(state) {
  clearTimeout(behindTimer);
  behindTimer = undefined;
  const heard = state === 'live' || state === 'polling' ? Date.now() : connection.value.heard;
  connection.value = { state, heard };
}

export function onFleetChange(callback) {
  changeListeners.add(callback);
  return () => changeListeners.delete(callback);
}

/** Calls back, at most twice a second, when objects of a resource may have changed. */
export function onTouched(resource, callback) {
  if (!touchListeners.has(resource)) touchListeners.set(resource, new Set());
  touchListeners.get(resource).add(callback);
  return () => touchListeners.get(resource).delete(callback);
}

function flushTouched() {
  gatherTimer = undefined;
  const resources = gathered;
  gathered = new Set();
  const all = resources.has('*');
  for (const [resource, callbacks] of touchListeners) {
    if (all || resource === '*' || resources.has(resource)) for (const callback of callbacks) callback();
  }
}

function touch(resource) {
  gathered.add(resource);
  gatherTimer ??= setTimeout(flushTouched, GATHER_MS);
}

async function loadSnapshot() {
  const response = await request('GET', '/console/fleet', { headers: etag ? { 'if-none-match': etag } : {} });
  if (response.status === 304) return;
  etag = response.headers.get('etag');
  fleet.value = columns(await response.json());
  revision.value++;
  for (const listener of changeListeners) listener(null);
}

function onFleet(event) {
  const touched = applyChanges(fleet.value, JSON.parse(event.data));
  if (connection.value.state !== 'live') say('live');
  connection.peek().heard = Date.now();
  revision.value++;
  for (const listener of changeListeners) listener(touched);
}

async function onReset() {
  try {
    etag = undefined;
    await loadSnapshot();
    touch('kubefedclusters.core.kubefed.io');
  } catch {
    fallBack();
  }
}

function onTouchedEvent(event) {
  touch(JSON.parse(event.data).resource ?? '*');
}

function closeStream() {
  stream?.close();
  stream = undefined;
}

// The browser tries again by itself unless it was refused; a refusal is a stream too many, or no hub.
function onError() {
  if (stream?.readyState === EventSource.CLOSED) fallBack();
  else behindTimer ??= setTimeout(() => say('behind'), BEHIND_MS);
}

function openStream() {
  closeStream();
  const slow = document.hidden ? '&slow=1' : '';
  stream = new EventSource(`/console/stream?since=${fleet.value.version}${slow}`);
  stream.addEventListener('open', () => say('live'));
  stream.addEventListener('fleet', onFleet);
  stream.addEventListener('reset', onReset);
  stream.addEventListener('touched', onTouchedEvent);
  stream.addEventListener('error', onError);
}

function fallBack() {
  closeStream();
  clearTimeout(timer);
  const until = Date.now() + STREAM_AGAIN_MS;
  const poll = async () => {
    try {
      await loadSnapshot();
      touch('*');
      say('polling');
    } catch (error) {
      if (error.status === 401 || error.status === 403) return stop();
      say('behind');
    }
    if (Date.now() < until) timer = setTimeout(poll, POLL_MS);
    else start();
    return undefined;
  };
  poll();
}

function stop() {
  closeStream();
  clearTimeout(timer);
  say('stopped');
}

export async function start() {
  clearTimeout(timer);
  try {
    await loadSnapshot();
    openStream();
  } catch (error) {
    if (error.status === 401 || error.status === 403) stop();
    else fallBack();
  }
}

/** Begins with a session, and forgets with it. */
export function followSession() {
  return session.subscribe((who) => {
    if (who) {
      start();
    } else if (who === null) {
      stop();
      etag = undefined;
      fleet.value = EMPTY;
    }
  });
}

document.addEventListener('visibilitychange', () => {
  if (stream && session.value) openStream();
});
