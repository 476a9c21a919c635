// The fleet as it changes: a snapshot, then deltas of the event stream; without a stream, the snapshot again and again.
import { signal } from '@preact/signals';
import { request, session } from './api.js';
import { withComings } from './comings.js';
import { applyChanges, columns, EMPTY, fleet, revision } from './fleet.js';

const POLL_MS = 5000;
const APART_MS = 10000;
const STREAM_AGAIN_MS = 30000;
const BEHIND_MS = 5000;
const GATHER_MS = 500;
const SILENCE_MS = 40000; // the hub says something every 15 s: a connection that was cut in silence says nothing
const ANSWER_MS = 20000;

/** connecting, live, polling, behind, apart (no fleet to be seen) or stopped; and since when the page knows nothing newer. */
export const connection = signal({ state: 'connecting', heard: Date.now() });

const changeListeners = new Set(); // (indices or null for all)
const touchListeners = new Map(); // resource -> Set of callbacks
let stream;
let etag;
let timer;
let behindTimer;
let gathered = new Set();
let gatherTimer;
let silence;
let loading = 0;
let held = []; // what came while a snapshot was on its way

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

async function fetchSnapshot() {
  const response = await request('GET', '/console/fleet', {
    headers: etag ? { 'if-none-match': etag } : {},
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (response.status === 304) return;
  const snapshot = columns(await response.json());
  if (!session.value) return; // signed out meanwhile
  etag = response.headers.get('etag');
  fleet.value = snapshot;
  revision.value++;
  for (const listener of changeListeners) listener(null);
}

/** Changes that come meanwhile are of the new columns: they wait for them. */
async function loadSnapshot() {
  loading++;
  try {
    await fetchSnapshot();
  } catch (error) {
    held = [];
    throw error;
  } finally {
    loading--;
    if (loading === 0) held.splice(0).forEach(apply);
  }
}

/** A snapshot may be newer than what the stream says behind it. */
function apply(change) {
  if (change.version <= fleet.value.version) return;
  const next = withComings(fleet.value, change);
  const touched = applyChanges(next, change);
  const all = next !== fleet.value;
  if (all) fleet.value = next;
  revision.value++;
  for (const listener of changeListeners) listener(all ? null : touched);
}

function hear() {
  connection.peek().heard = Date.now();
  clearTimeout(silence);
  silence = setTimeout(onSilence, SILENCE_MS);
}

function onSilence() {
  say('behind');
  fallBack();
}

function onFleet(event) {
  hear();
  if (connection.value.state !== 'live') say('live');
  const change = JSON.parse(event.data);
  if (loading > 0) held.push(change);
  else apply(change);
}

async function onReset() {
  hear();
  try {
    etag = undefined;
    await loadSnapshot();
    touch('kubefedclusters.core.kubefed.io');
  } catch {
    fallBack();
  }
}

function onTouchedEvent(event) {
  hear();
  touch(JSON.parse(event.data).resource ?? '*');
}

function closeStream() {
  clearTimeout(silence);
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
  stream.addEventListener('open', () => {
    say('live');
    hear();
  });
  stream.addEventListener('beat', hear);
  stream.addEventListener('fleet', onFleet);
  stream.addEventListener('reset', onReset);
  stream.addEventListener('touched', onTouchedEvent);
  stream.addEventListener('error', onError);
  silence = setTimeout(onSilence, SILENCE_MS);
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
      if (error.status === 401 || error.status === 403) return refused(error);
      say('behind');
    }
    if (!session.value) return stop();
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

/** No fleet and no stream for whoever has rights in namespaces alone: what is shown of those is asked for again and again. */
function apart() {
  closeStream();
  say('apart');
  const again = () => {
    if (!session.value) return stop();
    touch('*');
    timer = setTimeout(again, APART_MS);
    return undefined;
  };
  timer = setTimeout(again, APART_MS);
}

function refused(error) {
  if (error.status === 403 && session.value?.namespaces?.length > 0) apart();
  else stop();
}

export async function start() {
  clearTimeout(timer);
  try {
    await loadSnapshot();
    openStream();
  } catch (error) {
    if (error.status === 401 || error.status === 403) refused(error);
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
