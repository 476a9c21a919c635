// console.mjs - the console in headless Chromium, as lib/console.py starts it: one line of JSON on stdout.
//   BASE, CODE  the hub's address and two one-time codes with a comma between them; BROWSER  the program
import { open, signIn, go } from '../e2e/console/browser.mjs';

const { BASE, CODE } = process.env;
const [CODE_FIRST, CODE_FAKE] = CODE.split(',');
const FRAMES = 300;
const CHANGES = 200;
const EIGHT_HOURS_OF_EVENTS = 8 * 3600 * 2;
const HEAP_EVENTS = EIGHT_HOURS_OF_EVENTS / 10; // ten times as many changes in each as on a quiet day
const SEARCHES = ['gw', 'state:offline', 'region=north', 'cluster-00*', 'zone in (a, b)', 'settings'];

const percentile = (values, percent) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor((values.length * percent) / 100))];

/** What the page loads, and how fast it is there. */
async function firstView(figures) {
  const { browser, context, page, trouble } = await open();
  await signIn(page, CODE_FIRST);
  const cdp = await context.newCDPSession(page);
  const responses = new Map();
  let [all, js, fleet] = [0, 0, 0];
  await cdp.send('Network.enable');
  await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
  cdp.on('Network.responseReceived', ({ requestId, response }) => responses.set(requestId, response));
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const response = responses.get(requestId);
    if (!response) return;
    if (/html|javascript|css|svg/.test(response.mimeType)) all += encodedDataLength;
    if (/javascript/.test(response.mimeType)) js += encodedDataLength;
    if (response.url.endsWith('/console/fleet')) fleet += encodedDataLength;
  });
  const times = [];
  for (let round = 0; round < 5; round++) {
    [all, js, fleet] = [0, 0, 0];
    await page.goto(`${BASE}/console/`);
    await page.waitForFunction(() => performance.getEntriesByName('grid').length > 0 && document.querySelector('.lead')?.textContent.startsWith('10,000'));
    times.push(await page.evaluate(() => ({
      paint: performance.getEntriesByName('first-contentful-paint')[0].startTime,
      interactive: performance.getEntriesByName('grid').at(-1).startTime + performance.getEntriesByName('grid').at(-1).duration,
      grid: performance.getEntriesByName('grid').at(-1).duration,
    })));
  }
  const median = (key) => percentile(times.map((one) => one[key]), 50);
  Object.assign(figures, { view_bytes: all, view_js_bytes: js, fleet_bytes: fleet, foreign_requests: trouble.length });
  Object.assign(figures, { paint_ms: median('paint'), interactive_ms: median('interactive'), grid_10000_ms: median('grid') });
  figures.search_p95_ms = await page.evaluate(async (queries) => {
    const took = [];
    for (let i = 0; i < 60; i++) {
      const before = performance.now();
      await (await fetch(`/console/search?limit=20&q=${encodeURIComponent(queries[i % queries.length])}`)).text();
      took.push(performance.now() - before);
    }
    return took.sort((a, b) => a - b)[Math.floor(took.length * 0.95)];
  }, SEARCHES);
  await browser.close();
}

/** A stream that says what the benchmark says, in place of the hub's. */
function fakeStream() {
  class FakeSource extends EventTarget {
    static CLOSED = 2;
    readyState = 1;
    constructor() {
      super();
      globalThis.fakeSource = this;
      setTimeout(() => this.dispatchEvent(new Event('open')));
    }
    close() {
      this.readyState = 2;
    }
  }
  globalThis.EventSource = FakeSource;
  let version = 1e13;
  globalThis.sayChanges = (n, of) => {
    const random = (below) => Math.floor(Math.random() * below);
    const changes = Array.from({ length: n }, () => [random(of), random(5), random(6), 1, 0, 0]);
    globalThis.fakeSource.dispatchEvent(new MessageEvent('fleet', { data: JSON.stringify({ version: version++, changes }) }));
  };
}

async function updates(figures) {
  const { browser, context, page } = await open();
  await page.addInitScript(fakeStream);
  await signIn(page, CODE_FAKE);
  await go(page, '/grid');
  await page.waitForFunction(() => performance.getEntriesByName('grid').length > 0 && globalThis.fakeSource);
  const frames = await page.evaluate(([n, changes]) => new Promise((resolve) => {
    const tasks = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: 'longtask' });
    const started = performance.now();
    let left = n;
    const frame = () => {
      if (left-- === 0) resolve({ fps: (n * 1000) / (performance.now() - started), longest: Math.max(0, ...tasks) });
      else {
        globalThis.sayChanges(changes, 10000);
        requestAnimationFrame(frame);
      }
    };
    requestAnimationFrame(frame);
  }), [FRAMES, CHANGES]);
  Object.assign(figures, { frame_ms: 1000 / frames.fps, longest_task_ms: frames.longest });

  const cdp = await context.newCDPSession(page);
  const heap = async () => {
    await cdp.send('HeapProfiler.collectGarbage');
    return (await cdp.send('Runtime.getHeapUsage')).usedSize;
  };
  const say = (n) => page.evaluate(async (count) => {
    for (let i = 0; i < count; i++) {
      globalThis.sayChanges(10, 10000);
      if (i % 50 === 0) await new Promise(requestAnimationFrame);
    }
  }, n);
  await say(200);
  const before = await heap();
  await say(HEAP_EVENTS);
  figures.heap_growth_percent = Math.max(0, ((await heap()) / before - 1) * 100);
  figures.heap_mib = before / 1048576;

  // Five times the fleet: the same rows under other names.
  await page.route('**/console/fleet', async (route) => {
    const response = await route.fetch();
    const snapshot = await response.json();
    delete snapshot.ids; // numbered as they come
    snapshot.clusters = [0, 1, 2, 3, 4].flatMap((n) => snapshot.clusters.map(([name, ...rest]) => [`${name}-${n}`, ...rest]));
    await route.fulfill({ response, json: snapshot });
  });
  await go(page, '/grid');
  await page.waitForFunction(() => performance.getEntriesByName('grid').length > 0 && /50,000 of/.test(document.querySelector('main').textContent));
  figures.grid_50000_ms = await page.evaluate(() => performance.getEntriesByName('grid').at(-1).duration);
  await browser.close();
}

const figures = {};
await firstView(figures);
await updates(figures);
console.log(JSON.stringify(figures));
