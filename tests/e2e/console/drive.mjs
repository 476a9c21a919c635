// drive.mjs CASE: what a person does at the console. Ends with 1 and says what was wrong.
//   BASE, CODE   the hub's address, a one-time code; BROWSER the program
//   OBJECT, ROLLOUT, CLUSTER, JOINING  what the suite made; SHOTS  where pictures go; TOKEN of a viewer
import { mkdirSync } from 'node:fs';
import { check, confirmByKeyboard, go, open, require, settled, signIn, signInByToken, tabTo } from './browser.mjs';
import * as fleetCases from './fleet.mjs';
import * as manage from './manage.mjs';

const { BASE, CODE, OBJECT, ROLLOUT, CLUSTER, JOINING, SHOTS, TOKEN } = process.env;

const PAGES = {
  overview: '/',
  grid: '/grid?group=region',
  table: '/grid?view=table',
  selection: '/grid?q=shop-*&sel=shop-000000*3_*7',
  cluster: `/clusters/${CLUSTER}`,
  objects: '/objects',
  'objects-of-kind': '/objects?kind=federatedconfigmaps',
  object: `/objects/${OBJECT}?cluster=${CLUSTER}`,
  rollouts: '/rollouts',
  map: '/grid?view=map&sel=ghost-1',
  bytes: '/grid?colour=bytes',
  waves: `/grid?colour=wave&of=${ROLLOUT}&group=region`,
  start: `/rollouts/start?sel=shop-000000*3&of=${OBJECT}`,
  rollout: `/rollouts/${ROLLOUT}`,
  drift: '/drift',
  join: '/join',
  bandwidth: '/bandwidth',
  policies: '/policies',
  audit: '/audit',
  settings: '/settings',
};

async function noTrouble({ page, trouble }) {
  check(trouble.length === 0, `${page.url()}: ${trouble.join('\n')}`);
  const alert = page.locator('main [role=alert]');
  check((await alert.count()) === 0, `${page.url()}: alert: ${(await alert.allTextContents()).join(' / ')}`);
}

async function pages(at) {
  for (const path of Object.values(PAGES)) {
    await go(at.page, path);
    await noTrouble(at);
  }
}

async function axe(at) {
  const source = require('node:fs').readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
  const found = [];
  for (const theme of ['light', 'dark']) {
    await at.page.emulateMedia({ colorScheme: theme });
    for (const [name, path] of Object.entries(PAGES)) {
      await go(at.page, path);
      await at.page.evaluate(source);
      const { violations } = await at.page.evaluate(() => globalThis.axe.run());
      for (const one of violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))) {
        found.push(`${name}, ${theme}: ${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join('\n    ')}`);
      }
    }
  }
  check(found.length === 0, found.join('\n'));
}

async function screenshots(at) {
  mkdirSync(SHOTS, { recursive: true });
  for (const theme of ['light', 'dark']) {
    await at.page.emulateMedia({ colorScheme: theme });
    for (const width of [390, 820, 1440]) {
      await at.page.setViewportSize({ width, height: 900 });
      for (const [name, path] of Object.entries(PAGES)) {
        await go(at.page, path);
        const wide = await at.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        check(wide <= 0, `${name} at ${width}: ${wide} pixels too wide`);
        await at.page.screenshot({ path: `${SHOTS}/${name}-${theme}-${width}.png` });
      }
    }
  }
}

async function approveJoin({ page }) {
  await go(page, '/');
  await tabTo(page, /^Join$/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Join' }).waitFor();
  await settled(page);
  await tabTo(page, new RegExp(`Approve ${JOINING}`));
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  check(/([0-9a-f]{2}:){31}[0-9a-f]{2}/.test(await dialog.textContent()), 'the dialog shows no fingerprint');
  await tabTo(page, /^Approve$/);
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await page.getByText('Nobody waits.').waitFor();
}

async function steer({ page }) {
  const [, name] = OBJECT.split('/').slice(-2);
  await go(page, `/rollouts/${ROLLOUT}`);
  const phase = (word) => page.locator('main > p .state', { hasText: word }).waitFor();
  const press = async (button, answers) => {
    await tabTo(page, new RegExp(`^${button} …$`));
    await page.keyboard.press('Enter');
    await confirmByKeyboard(page, answers);
  };
  await phase('AwaitingApproval');
  await press('Pause', { reason: 'a look first' });
  await phase('Paused');
  await press('Resume', { reason: 'all well' });
  await phase('AwaitingApproval');
  await press('Approve', { reason: 'looks good' });
  await page.locator('main > p .state:not(:has-text("AwaitingApproval"))').waitFor();
  await press('Roll back', { reason: 'not so good', typed: name });
  await phase('RolledBack');
  await page.getByRole('region', { name: 'Who did what' }).getByText('not so good').waitFor();
}

async function typedName({ page }) {
  await go(page, `/objects/${OBJECT}`);
  await page.getByRole('button', { name: 'Delete …' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(/\d+ clusters?, 1 namespace, est\./).waitFor();
  const button = dialog.getByRole('button', { name: 'Delete', exact: true });
  check(await button.isDisabled(), 'delete is possible without the name');
  await dialog.locator('input[name=typed]').fill('something else');
  check(await button.isDisabled(), 'delete is possible with another name');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
}

async function grid({ page }) {
  await go(page, '/grid');
  await page.keyboard.press('/');
  await page.keyboard.type('state:never');
  await page.waitForURL(/q=state%3Anever/);
  await page.getByText(/^\d+ of \d+ clusters$/).waitFor();
  await tabTo(page, /^Fleet\. Arrow keys/);
  await page.keyboard.press('ArrowRight');
  await page.locator('.grid [role=status]', { hasText: 'never seen' }).waitFor({ state: 'attached' });
  await page.keyboard.press('t');
  await page.getByRole('region', { name: 'Clusters' }).waitFor();
  await page.keyboard.press('Control+k');
  await page.keyboard.type(CLUSTER);
  await page.getByRole('option', { name: new RegExp(CLUSTER) }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: CLUSTER }).waitFor();
}

/** Says "ready" and waits until the page shows the number that the suite makes true meanwhile. */
/** Who comes, is labelled and leaves is seen at once, and without the fleet being fetched again. */
async function live({ page }) {
  let fetched = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/console/fleet')) fetched++;
  });
  await go(page, '/grid?q=tier%3Dgold');
  await page.locator('.pill.live').waitFor();
  const note = page.locator('.controls .note');
  const before = Number((await note.textContent()).match(/of (\d+)/)[1]);
  for (const [said, found, of] of [['ready', 0, before + 1], ['came', 1, before + 1], ['labelled', 0, before]]) {
    process.stdout.write(`${said}\n`);
    await note.filter({ hasText: `${found} of ${of} clusters` }).waitFor();
  }
  check(fetched === 1, `the fleet was fetched ${fetched} times`);
  process.stdout.write('left\n');
  await page.locator('.banner, .pill:not(.live)').first().waitFor();
}

async function viewer({ page }) {
  await page.goto(`${BASE}/console/`);
  await page.getByLabel(/bearer token/).fill('nonsense');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await signInByToken(page, TOKEN);
  const offered = [];
  for (const path of [PAGES.rollout, PAGES.cluster, PAGES.object, PAGES.join, PAGES.policies, PAGES.grid, PAGES.selection, PAGES.rollouts]) {
    await go(page, path);
    offered.push(...(await page.locator('main button, main a.button').allTextContents()).filter((text) => / …$|Make a token/.test(text)));
  }
  check(offered.length === 0, `a viewer is offered: ${offered.join(', ')}`);
  check((await page.getByRole('link', { name: 'Audit' }).count()) === 0, 'a viewer is offered the audit log');
}

async function firstView(at) {
  const { page } = at;
  const sizes = { all: 0, js: 0 };
  const cdp = await at.context.newCDPSession(page);
  const types = new Map();
  await cdp.send('Network.enable');
  await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
  cdp.on('Network.responseReceived', ({ requestId, response }) => types.set(requestId, response));
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const response = types.get(requestId);
    if (!response || !/html|javascript|css|svg/.test(response.mimeType)) return;
    sizes.all += encodedDataLength;
    if (/javascript/.test(response.mimeType)) sizes.js += encodedDataLength;
  });
  await go(page, '/');
  process.stdout.write(`${JSON.stringify(sizes)}\n`);
  check(sizes.js > 0 && sizes.js <= 80_000 && sizes.all <= 100_000, `first view: ${JSON.stringify(sizes)}`);
}

const CASES = { pages, axe, screenshots, approveJoin, steer, typedName, grid, live, viewer, firstView, ...fleetCases, ...manage };

const name = process.argv[2];
const at = await open();
try {
  if (CODE) await signIn(at.page, CODE);
  await CASES[name](at);
  check(at.trouble.length === 0, at.trouble.join('\n'));
} catch (error) {
  console.error(error.stack);
  // What it waited for in vain may be owed to one of these.
  for (const one of at.trouble.filter((text) => !error.message.includes(text))) console.error(one);
  if (SHOTS) {
    mkdirSync(SHOTS, { recursive: true });
    await at.page.screenshot({ path: `${SHOTS}/failed-${name}.png` }).catch(() => undefined);
  }
  process.exitCode = 1;
} finally {
  await at.browser.close();
}
