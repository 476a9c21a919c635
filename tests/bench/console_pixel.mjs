// console_pixel.mjs - the grid of a whole fleet in headless Chromium, as lib/consoles.py starts it. A line "watch" on stdin is
// answered by "armed", and by "painted" with the time as soon as the canvas is another one. Ends with stdin.
//   BASE, CODE  the hub's address and a one-time code; BROWSER  the program
import { createInterface } from 'node:readline';
import { open, signIn, go } from '../e2e/console/browser.mjs';

const { BASE, CODE } = process.env;
const say = (event, more) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

/** In the page: what the canvas shows is compared in each frame. */
function arm() {
  const canvas = document.querySelector('canvas');
  const pixels = () => new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  const before = pixels();
  globalThis.painted = new Promise((resolve) => {
    const look = () => {
      const present = pixels();
      const at = performance.timeOrigin + performance.now();
      if (present.length !== before.length || present.some((pixel, i) => pixel !== before[i])) resolve(at);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
}

const { browser, page } = await open();
page.setDefaultTimeout(60000);
await signIn(page, CODE);
await go(page, '/grid');
await page.locator('.pill.live').waitFor();
await page.waitForFunction(() => performance.getEntriesByName('grid').length > 0);
say('ready', { base: BASE });
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'watch') throw new Error(`what is "${line}"?`);
  await page.evaluate(arm);
  say('armed');
  say('painted', { unix_ms: await page.evaluate(() => globalThis.painted) });
}
await browser.close();
