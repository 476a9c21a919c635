// What is done to clusters and policies, and what whoever has rights in one namespace alone is offered.
import { check, go, require, settled, tabTo } from './browser.mjs';

const { BASE, MANAGED, OBJECT, ROLLOUT, SHOTS, TOKEN } = process.env;

/** Opens a dialog by keyboard. */
async function press(page, button) {
  await tabTo(page, new RegExp(`^${button}$`));
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  return dialog;
}

const ready = (dialog) => dialog.locator('button[type=submit]:not([disabled])');
const shows = (dialog, pattern) => dialog.locator('.touches', { hasText: pattern }).waitFor();

async function confirm(page, dialog) {
  await ready(dialog).waitFor();
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
}

async function leave(page, dialog) {
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
}

/** In both themes and narrow: no serious finding, nothing wider than the screen. */
async function looksWell(page, name) {
  const source = require('node:fs').readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(source);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 390, height: 844 });
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    const bad = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    check(bad.length === 0, `${name}, ${colorScheme}: ${bad.map((one) => `${one.id} ${one.nodes[0].target} ${one.nodes[0].failureSummary}`).join('; ')}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(wide <= 0, `${name}: ${wide} pixels too wide`);
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/dialog-${name}-${colorScheme}-390.png` });
  }
  await page.setViewportSize({ width: 1280, height: 844 });
  await page.emulateMedia({ colorScheme: 'light' });
}

export async function cordon({ page }) {
  await go(page, `/clusters/${MANAGED}`);
  const dialog = await press(page, 'Cordon …');
  await shows(dialog, 'Nothing waits');
  await looksWell(page, 'cordon');
  await tabTo(page, /^Cordon$/);
  await confirm(page, dialog);
  await page.getByRole('button', { name: 'Uncordon …' }).waitFor();
}

export async function uncordon({ page }) {
  await go(page, `/clusters/${MANAGED}`);
  await page.getByText('1 change, Cordoned').waitFor();
  check((await page.getByRole('button', { name: 'Sync now …' }).count()) === 0, 'a cordoned cluster is offered to be synced');
  const dialog = await press(page, 'Uncordon …');
  await shows(dialog, '1 change waiting for Cordoned');
  await tabTo(page, /^Uncordon$/);
  await confirm(page, dialog);
  await page.getByRole('button', { name: 'Cordon …', exact: true }).waitFor();
}

export async function linkRules({ page }) {
  await go(page, `/clusters/${MANAGED}`);
  const dialog = await press(page, 'Link …');
  await shows(dialog, 'This month so far');
  await dialog.locator('[name=windows]').fill('weekends');
  await dialog.getByRole('alert').filter({ hasText: '"weekends" is no day' }).waitFor();
  check((await ready(dialog).count()) === 0, 'windows that the hub refuses can be saved');
  await dialog.locator('[name=windows]').fill('00:00-12:00\n12:00-24:00 UTC');
  await dialog.locator('[name=bytes]').fill('500Mi');
  await ready(dialog).waitFor();
  await looksWell(page, 'link');
  await tabTo(page, /^Save$/);
  await confirm(page, dialog);
  await page.getByText(/% of 524 MB/).waitFor();
}

export async function syncNow({ page }) {
  await go(page, `/clusters/${MANAGED}`);
  const dialog = await press(page, 'Sync now …');
  await shows(dialog, '1 change waiting for QuietWindow until');
  await tabTo(page, /^Sync now$/);
  await confirm(page, dialog);
  await page.getByRole('button', { name: 'Sync now …' }).waitFor({ state: 'detached' });
}

async function planLabel(page) {
  await go(page, `/clusters/${MANAGED}`);
  const dialog = await press(page, 'Label …');
  await dialog.locator('[name=typed]').fill(MANAGED);
  check((await ready(dialog).count()) === 0, 'a label without a key can be put');
  await dialog.locator('[name=key]').fill('lab');
  await dialog.locator('[name=value]').fill('y');
  await shows(dialog, '0 clusters, 0 namespaces');
  await dialog.locator('[name=value]').fill('x');
  check((await ready(dialog).count()) === 0, 'what is shown is of the value before');
  await shows(dialog, /1 cluster, 1 namespace, est. \d+ B/);
  await shows(dialog, '1 object created in clusters');
  await looksWell(page, 'label');
  await tabTo(page, /^Label$/);
  await confirm(page, dialog);
}

async function planRemoved(page) {
  const dialog = await press(page, 'Remove …');
  await shows(dialog, /objects? left where they are/);
  check((await ready(dialog).count()) === 0, 'a cluster can be removed without its name');
  await leave(page, dialog);
}

async function planPolicies(page) {
  await go(page, '/policies');
  const rollouts = page.getByRole('region', { name: 'Rollout policies' }).last();
  await rollouts.getByRole('button', { name: 'Delete …' }).click();
  let dialog = page.getByRole('dialog');
  await shows(dialog, '1 object that it governs');
  await shows(dialog, /\d+ clusters that a rollout has not come to get the newest version of 1 object at once/);
  await leave(page, dialog);
  const placements = page.getByRole('region', { name: 'Placement policies' }).last();
  await placements.getByRole('button', { name: 'Delete …' }).click();
  dialog = page.getByRole('dialog');
  await shows(dialog, '0 clusters, 0 namespaces');
  await leave(page, dialog);
  await placements.getByRole('button', { name: 'Change …' }).click();
  dialog = page.getByRole('dialog');
  const rules = dialog.locator('[name=rules]');
  await rules.fill('{"effect": ');
  await dialog.getByRole('alert').filter({ hasText: 'no JSON' }).waitFor();
  await rules.fill('{"effect": "Perhaps"}');
  await dialog.getByRole('alert').waitFor();
  await rules.fill(JSON.stringify({ effect: 'Allow', clusters: { selector: { matchLabels: { nobody: 'x' } } }, kinds: [{ kind: 'ConfigMap' }] }));
  await shows(dialog, /objects? removed in clusters/);
  await looksWell(page, 'policy');
  await rules.fill(JSON.stringify({ effect: 'Allow', clusters: { names: ['ghost-1'] }, kinds: [{ group: 'batch', kind: 'Job' }] }));
  await dialog.locator('[name=typed]').fill('no-jobs');
  await ready(dialog).click();
  await dialog.waitFor({ state: 'detached' });
}

export async function plans({ page }) {
  await planLabel(page);
  await planRemoved(page);
  await planPolicies(page);
}

export async function apart({ page }) {
  await page.goto(`${BASE}/console/`);
  await page.getByLabel(/bearer token/).fill(TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Federated objects' }).waitFor();
  const links = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
  await links.nth(2).waitFor();
  check((await links.allTextContents()).join() === 'Objects,Rollouts,Policies', `offered: ${await links.allTextContents()}`);
  await page.getByLabel(/^Kind/).selectOption('federatedconfigmaps');
  check((await page.getByLabel(/^Namespace/).inputValue()) === 'shop', 'the namespace is not theirs');
  await page.getByRole('link', { name: 'web', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'shop/web' }).waitFor();
  await settled(page);
  for (const [path, text] of [['/rollouts', ROLLOUT], ['/policies', 'shop/careful'], [`/rollouts/${ROLLOUT}`, 'Waves'], [`/objects/${OBJECT}`, 'Versions in clusters']]) {
    await go(page, path);
    await page.getByText(text).first().waitFor();
    const alerts = await page.locator('main [role=alert]').allTextContents();
    check(alerts.length === 0, `${path}: ${alerts.join(' / ')}`);
    const offered = (await page.locator('main button').allTextContents()).filter((one) => / …$/.test(one));
    check(offered.length === 0, `${path} offers ${offered.join(', ')}`);
    await looksWell(page, `apart${path.replaceAll('/', '-')}`);
  }
}

export async function many({ page }) {
  await go(page, '/policies');
  await page.getByText('11 more policies were not looked at.').waitFor();
  await tabTo(page, /^Look at more$/);
  await page.keyboard.press('Enter');
  await page.getByText(/more policies were not looked at/).waitFor({ state: 'detached' });
  check((await page.getByRole('cell', { name: /^many-\d\/many-\d+$/ }).count()) === 510, 'not all policies are shown');
}

/** More rollouts than one page of the list: those that wait are found on the last page, and what is not looked at is said. */
export async function manyRollouts({ page }) {
  const one = (n) => ({
    metadata: { namespace: 'far', name: `far-${n}`, uid: `far-${n}`, creationTimestamp: '2020-01-01T00:00:00Z' },
    spec: { number: 1, object: { kind: 'FederatedConfigMap', name: 'far', uid: 'far' }, policy: 'careful', rules: {} },
    status: { phase: n === 9 ? 'Paused' : 'Complete' },
  });
  await page.route(/\/v1alpha1\/rollouts\?limit=500/, (route) => {
    const at = Number(new URL(route.request().url()).searchParams.get('continue') ?? 0);
    return route.fulfill({ json: { items: [one(at)], metadata: { continue: `${at + 1}`, remainingItemCount: 1000 - at } } });
  });
  await go(page, '/');
  await page.getByRole('link', { name: /far\/far-9: Paused/ }).waitFor();
  await page.getByRole('link', { name: /991 more rollouts that were not looked at/ }).waitFor();
  await go(page, '/rollouts');
  await page.getByText('991 more rollouts were not looked at.').waitFor();
  await tabTo(page, /^Look at more$/);
  await page.keyboard.press('Enter');
  await page.getByText('981 more rollouts were not looked at.').waitFor();
  await page.getByRole('link', { name: 'far/far-19' }).waitFor();
}

export async function verify({ page }) {
  await go(page, '/audit');
  await tabTo(page, /^Verify the chain$/);
  await page.keyboard.press('Enter');
  await page.getByText(/All [\d,]+ records are as the hub wrote them/).waitFor();
  await looksWell(page, 'audit');
}
