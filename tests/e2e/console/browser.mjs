// A browser at the console: the distribution's Chromium, driven by the playwright-core of console/package-lock.json.
import { createRequire } from 'node:module';

export const require = createRequire(new URL('../../../console/package.json', import.meta.url));
const { chromium } = require('playwright-core');

const { BASE, BROWSER } = process.env;
export const WAIT_MS = 60000;

export function check(condition, what) {
  if (!condition) throw new Error(what);
}

export async function open({ width = 1280, theme = 'light', reduced = true } = {}) {
  const browser = await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox', '--disable-dev-shm-usage'], timeout: 3 * WAIT_MS });
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: { width, height: 844 },
    colorScheme: theme,
    reducedMotion: reduced ? 'reduce' : 'no-preference',
  });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  const trouble = watch(page);
  return { browser, context, page, trouble };
}

/** What must never be: exceptions, refusals of the Content-Security-Policy, requests to anybody else. */
function watch(page) {
  const trouble = [];
  page.on('pageerror', (error) => trouble.push(`exception: ${error.stack}`));
  page.on('console', (message) => {
    if (/Content Security Policy|TrustedHTML|TrustedScript/.test(message.text())) trouble.push(message.text());
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(BASE) && !url.startsWith('data:')) trouble.push(`foreign request: ${url}`);
  });
  return trouble;
}

export async function signIn(page, code) {
  await page.goto(`${BASE}/console/#code=${code}`);
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  if (page.url().includes('#')) throw new Error(`the code is still in the address: ${page.url()}`);
}

/** On the page that asks who one is. */
export async function signInByToken(page, token) {
  if (!page.url().startsWith(BASE)) await page.goto(`${BASE}/console/`);
  await page.getByLabel(/bearer token/).fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
}

/** Goes there and waits until nothing is being loaded any more. */
export async function go(page, path) {
  await page.goto(`${BASE}/console${path}`);
  await settled(page);
}

export async function settled(page) {
  await page.locator('main h1').waitFor();
  await page.waitForFunction(() => !/Loading …/.test(document.querySelector('main').textContent));
}

const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    return element?.getAttribute('aria-label') || element?.textContent.trim() || element?.name || '';
  });

/** Presses Tab until what has the focus has that text: a keyboard is all that it takes. */
export async function tabTo(page, pattern, key = 'Tab') {
  for (let i = 0; i < 300; i++) {
    if (pattern.test(await focused(page))) return;
    await page.keyboard.press(key);
  }
  throw new Error(`no ${pattern} within 300 of ${key}; the focus is on "${await focused(page)}"`);
}

/** Fills the open dialog's fields and confirms it, by keyboard. */
export async function confirmByKeyboard(page, { reason, typed }) {
  await page.getByRole('dialog').waitFor();
  for (const [name, text] of [['reason', reason], ['typed', typed]]) {
    if (text === undefined) continue;
    for (let i = 0; i < 20; i++) {
      if ((await page.evaluate(() => document.activeElement?.name)) === name) break;
      await page.keyboard.press('Tab');
    }
    await page.keyboard.type(text);
  }
  // What it touches is asked of the hub first: until that is shown it cannot be confirmed.
  await page.getByRole('dialog').locator('button[type=submit]:not([disabled])').waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}
