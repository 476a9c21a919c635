// Cases of drive.mjs: the fleet as a picture, and what is selected in it.
import { check, confirmByKeyboard, go, settled, signInByToken, tabTo, WAIT_MS } from './browser.mjs';

const bar = (page) => page.getByRole('region', { name: 'Selection' });
const selected = (page, text) => bar(page).getByText(text).waitFor();
const selectionOf = (page) => new URL(page.url()).searchParams.get('sel');

/** The middle of a cell, as the picture's cursor says where it is: by keyboard it goes to every cell. */
async function corners(page) {
  const box = await page.locator('canvas.over').boundingBox();
  return { left: box.x, top: box.y, width: box.width, height: box.height };
}

async function drag(page, from, to) {
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move((from.x + to.x) / 2, (from.y + to.y) / 2, { steps: 4 });
  await page.mouse.move(to.x, to.y, { steps: 4 });
  await page.mouse.up();
}

/** By pointer: a rectangle, one more with Shift, a click; each is in the address, and the address brings it back. */
export async function brush({ page }) {
  await go(page, '/grid?q=shop-*');
  await page.getByText('12 of').waitFor();
  const { left, top } = await corners(page);
  const cell = (column) => ({ x: left + 28 * column + 14, y: top + 14 });
  await drag(page, { x: cell(0).x, y: top + 2 }, { x: cell(2).x, y: top + 26 });
  await selected(page, /^3 clusters selected$/);
  await page.keyboard.down('Shift');
  await drag(page, { x: cell(4).x, y: top + 2 }, { x: cell(5).x, y: top + 26 });
  await selected(page, /^5 clusters selected$/);
  await page.mouse.click(cell(7).x, cell(7).y);
  await page.keyboard.up('Shift');
  await selected(page, /^6 clusters selected$/);
  const sel = selectionOf(page);
  check(sel === 'shop-000000*2_*4*5_*7', `the address says ${sel}`);
  await page.goto(page.url());
  await selected(page, /^6 clusters selected$/);
  await bar(page).getByText('Which').click();
  await bar(page).getByRole('link', { name: 'shop-000004' }).waitFor();
  await bar(page).getByRole('button', { name: 'Only these' }).click();
  await page.waitForURL(/only=1/);
  await bar(page).getByRole('button', { name: 'Clear' }).click();
  await bar(page).waitFor({ state: 'detached' });
  check(!/sel=|only=/.test(page.url()), `after clearing the address is ${page.url()}`);
  // A press that moves is no click: no cluster was opened.
  check(new URL(page.url()).pathname === '/console/grid', page.url());
}

/** By keyboard: Space, Shift and arrows, all, none. */
export async function brushKeys({ page, context }) {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await go(page, '/grid?q=shop-*');
  await tabTo(page, /^Fleet\. Arrow keys/);
  await page.keyboard.press('Home');
  await page.keyboard.press(' ');
  await selected(page, /^1 cluster selected$/);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Shift+ArrowRight');
  await selected(page, /^4 clusters selected$/);
  check(selectionOf(page) === 'shop-000000*3', `the address says ${selectionOf(page)}`);
  await page.locator('.grid [role=status]', { hasText: 'shop-000003' }).waitFor({ state: 'attached' });
  await page.keyboard.press('Shift+ArrowLeft');
  await selected(page, /^3 clusters selected$/);
  await tabTo(page, /^Copy names$/);
  await page.keyboard.press('Enter');
  await bar(page).getByText('Copied').waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  check(copied === 'shop-000000\nshop-000001\nshop-000002', `copied: ${copied}`);
  await tabTo(page, /^Fleet\. Arrow keys/, 'Shift+Tab');
  await page.keyboard.press('Control+a');
  await selected(page, /^12 clusters selected$/);
  await page.keyboard.press('Escape');
  await bar(page).waitFor({ state: 'detached' });
  await tabTo(page, /^Select all 12$/, 'Shift+Tab');
  await page.keyboard.press('Enter');
  await selected(page, /^12 clusters selected: all that the query has$/);
  check(selectionOf(page) === '*', `the address says ${selectionOf(page)}`);
}

/** A finger scrolls the page, until it is told to select. */
export async function brushTouch({ browser, context }) {
  const touching = await browser.newContext({
    ignoreHTTPSErrors: true, viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, storageState: await context.storageState(),
  });
  touching.setDefaultTimeout(WAIT_MS);
  const page = await touching.newPage();
  await go(page, '/grid?q=shop-*');
  const cdp = await touching.newCDPSession(page);
  await page.locator('canvas.over').scrollIntoViewIfNeeded();
  const swipe = async () => {
    const { left, top } = await corners(page);
    const at = (column) => [{ x: left + 28 * column + 14, y: top + 14 }];
    await cdp.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: at(0) });
    for (const column of [0.5, 1, 2, 3]) await cdp.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: at(column) });
    await cdp.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  };
  await swipe();
  check((await bar(page).count()) === 0, 'a finger selected without being told to');
  await page.getByRole('button', { name: 'Select by finger' }).click();
  await swipe();
  await selected(page, /^4 clusters selected$/);
  await touching.close();
}

const MENU = 'federatedconfigmaps.types.kubefed.io/shop/menu';
const plan = (page, text) => page.getByRole('region', { name: 'What would happen' }).getByText(text).waitFor();

/** From a selection to a rollout: what the hub plans is said first, and the selection is its first wave. */
export async function start({ page }) {
  await go(page, '/grid?q=shop-*&sel=shop-000003*5');
  await selected(page, /^3 clusters selected$/);
  await tabTo(page, /^Start a rollout …$/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Start a rollout' }).waitFor();
  await settled(page);
  await page.getByLabel('Kind').selectOption('ConfigMap');
  await page.getByLabel(/^Object, as/).fill('shop/menu');
  await page.keyboard.press('Tab');
  await page.waitForURL(/of=federatedconfigmaps/);
  await page.locator('input[name=path]').waitFor();
  check((await page.locator('input[name=path]').inputValue()) === '/data/soup', 'the form begins with a field of the object');
  await page.locator('input[name=value]').fill('pea');
  await page.locator('input[name=canary]').fill('1');
  await page.locator('input[name=soak]').fill('forever');
  await page.getByRole('region', { name: 'What would happen' }).getByRole('alert').getByText(/soak/).waitFor();
  await page.locator('input[name=soak]').fill('');
  await page.locator('input[name=approval]').check();
  await plan(page, 'wave canary: 1 cluster that change, of 1');
  await plan(page, 'wave selected: 2 clusters that change, of 2');
  await plan(page, /^wave rest: /);
  await tabTo(page, /^Start …$/);
  await page.keyboard.press('Enter');
  await confirmByKeyboard(page, { typed: 'menu' });
  await page.getByRole('heading', { level: 1, name: /^shop\/federatedconfigmap-menu-/ }).waitFor();
  await page.locator('main > p .state', { hasText: 'AwaitingApproval' }).waitFor();
}

/** The hub takes the policy and then not the object: the policy that was replaced has its rules again, and why is said. */
export async function startRefused({ page }) {
  await page.route(/\/federatedconfigmaps\/menu$/, (route) =>
    (route.request().method() === 'PUT' ? route.fulfill({ status: 500, json: { message: 'the disk is full' } }) : route.fallback()));
  await go(page, `/rollouts/start?sel=shop-000009*10&of=${MENU}`);
  await page.locator('input[name=value]').fill('carrot');
  await plan(page, /^A policy of that name is there/);
  await page.getByRole('button', { name: 'Start …' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.locator('[name=typed]').fill('menu');
  await dialog.locator('button[type=submit]:not([disabled])').click();
  await dialog.getByRole('alert').getByText('the disk is full').waitFor();
}

/** Who writes templates and no policies changes the selection alone, by the policy that governs the object. */
export async function startAsAuthor({ page }) {
  await signInByToken(page, process.env.TOKEN);
  await go(page, `/rollouts/start?sel=shop-000007*8&of=${MENU}`);
  const rules = page.getByLabel(/^Policy/);
  await rules.waitFor();
  check(!/a new one/.test(await rules.textContent()), 'an author is offered to make a policy');
  await page.locator('input[name=value]').fill('leek');
  await page.getByLabel(/In the selection alone/).check();
  await plan(page, 'clusters change wave by wave: canary, selected, rest');
  await page.getByRole('button', { name: 'Start …' }).click();
  await confirmByKeyboard(page, { typed: 'menu' });
  await page.getByRole('heading', { level: 1, name: /^shop\/federatedconfigmap-menu-/ }).waitFor();
}

const legend = (page) => page.getByRole('list', { name: 'Clusters by colour' });
const classOf = (page, text) => legend(page).getByRole('button', { name: text });

/** By other figures: each is loaded when it is asked for, has a legend that selects, and is a column of the table. */
export async function colours({ page }) {
  const asked = [];
  page.on('request', (request) => /console\/column|rollouts\/.*\/clusters/.test(request.url()) && asked.push(request.url()));
  await go(page, '/grid');
  check(asked.length === 0, `asked for nothing: ${asked}`);
  const by = page.getByLabel(/^Colour by/);
  await by.selectOption('bytes this month');
  await classOf(page, /less than 100 kB/).waitFor();
  await by.selectOption('version of Kubernetes');
  await page.waitForURL(/colour=kubernetes/);
  await classOf(page, /not known/).click();
  await selected(page, /^4 clusters selected$/);
  check(/ghost/.test(selectionOf(page)), `those that never came are selected: ${selectionOf(page)}`);
  await page.keyboard.press('t');
  await page.getByRole('columnheader', { name: 'version of Kubernetes' }).waitFor();
  await page.keyboard.press('t');
  await by.selectOption('wave of a rollout');
  await page.getByLabel(/^Rollout/).selectOption(process.env.ROLLOUT);
  await classOf(page, /canary/).click();
  await selected(page, /^2 clusters selected$/);
  check(asked.length > 2, `asked: ${asked}`);
  await go(page, `/rollouts/${process.env.ROLLOUT}`);
  await page.getByRole('link', { name: 'In the fleet' }).click();
  await classOf(page, /Healthy/).waitFor();
  await go(page, `/grid?colour=version&of=${process.env.OBJECT}`);
  await classOf(page, /gen:/).first().waitFor();
  await tabTo(page, /^Fleet\. Arrow keys/);
  await page.keyboard.press('End');
  await page.locator('.grid [role=status]', { hasText: /gen:/ }).waitFor({ state: 'attached' });
}

/** Where clusters are: those with coordinates, and about there those of their region; the same selection as the grid's. */
export async function map({ page }) {
  await go(page, '/grid');
  await page.keyboard.press('m');
  await page.waitForURL(/view=map/);
  await page.getByText(/5 with coordinates/).waitFor();
  await page.getByText(/9 clusters not on it/).waitFor();
  await tabTo(page, /^Fleet\. Arrow keys/);
  const at = (text) => page.locator('.grid [role=status]', { hasText: text }).waitFor({ state: 'attached' });
  await page.keyboard.press('Home');
  await at('ghost-1');
  await page.keyboard.press(' ');
  await selected(page, /^1 cluster selected$/);
  await page.keyboard.press('+');
  await page.waitForURL(/at=/);
  const { left, top, width, height } = await corners(page);
  await drag(page, { x: left + 2, y: top + 2 }, { x: left + width - 2, y: top + height - 2 });
  await bar(page).getByText('Which').click();
  check((await bar(page).getByRole('link', { name: 'shop-000000' }).count()) === 0, 'what is out of sight was selected');
  await page.getByRole('button', { name: 'To the selection' }).click();
  await page.waitForURL((url) => Number(url.searchParams.get('at').split('_')[2]) < 60);
  await page.goto(page.url());
  await bar(page).getByText('Which').click();
  await bar(page).getByRole('link', { name: 'ghost-1' }).waitFor();
  await bar(page).getByText('Which').click();
  await page.getByRole('button', { name: 'All', exact: true }).click();
  await page.waitForURL((url) => !url.searchParams.has('at'));
  await drag(page, { x: left + 2, y: top + height / 2 }, { x: left + width / 3, y: top + height - 2 });
  await selected(page, /^1 cluster selected$/);
  check(selectionOf(page) === 'shop-000000', `the south-west is ${selectionOf(page)}`);
  await mapMoves(page);
}

const viewOf = (page) => new URL(page.url()).searchParams.get('at')?.split('_').map(Number);

/** By dragging, when it is told to, and by Ctrl and arrows; nothing is selected by that. */
async function mapMoves(page) {
  const { left, top, width, height } = await corners(page);
  const middle = { x: left + width / 2, y: top + height / 2 };
  await page.getByRole('button', { name: 'Nearer', exact: true }).click();
  await page.waitForURL(/at=/);
  const [, before, span] = viewOf(page);
  await page.getByRole('button', { name: 'Move by dragging' }).click();
  await drag(page, middle, { x: middle.x + 100, y: middle.y });
  await page.waitForURL(() => viewOf(page)[1] !== before);
  const [, dragged] = viewOf(page);
  check(Math.abs(before - dragged - (100 / width) * span) < 0.02 * span, `dragged from ${before} to ${dragged} of ${span}`);
  await tabTo(page, /^Fleet\. Arrow keys/);
  await page.keyboard.press('Control+ArrowRight');
  await page.waitForURL(() => viewOf(page)[1] !== dragged);
  const [, stepped] = viewOf(page);
  check(Math.abs(stepped - dragged - span / 4) < 0.02 * span, `by key from ${dragged} to ${stepped} of ${span}`);
  check(selectionOf(page) === 'shop-000000', `moving selected ${selectionOf(page)}`);
  await page.locator('.grid.moving').waitFor({ state: 'detached' }); // the picture is not moved aside any more
}

/** All of a selection at once. */
export async function cordonMany({ page }) {
  await go(page, '/grid?sel=shop-000008*9');
  for (const [button, note] of [['Cordon …', 'true'], ['Uncordon …', '']]) {
    await bar(page).getByRole('button', { name: button, exact: true }).click();
    await confirmByKeyboard(page, { typed: '2' });
    const has = await page.evaluate(async () => {
      const one = await fetch('/apis/core.kubefed.io/v1beta1/namespaces/kube-federation-system/kubefedclusters/shop-000009');
      return (await one.json()).metadata.annotations?.['fedlet.io/cordon'] ?? '';
    });
    check(has === note, `after ${button} the annotation is "${has}"`);
  }
}

/** What failed or went back in the selection, again: of others the dialog says that there is nothing. */
export async function retry({ page }) {
  const dialog = page.getByRole('dialog');
  await go(page, '/grid?sel=ghost-1*2');
  await bar(page).getByRole('button', { name: 'Retry failed …' }).click();
  await dialog.getByRole('alert').getByText('No rollout failed in these clusters.').waitFor();
  check(await dialog.getByRole('button', { name: 'Retry', exact: true }).isDisabled(), 'nothing is there to retry, and it is offered');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await go(page, '/grid?sel=shop-000001*3');
  await bar(page).getByRole('button', { name: 'Retry failed …' }).click();
  await dialog.getByText(/^FederatedConfigMap shop\/web: \d+ clusters that failed or went back get the new version again, [23] of them selected$/).waitFor();
  await confirmByKeyboard(page, { reason: 'once more' });
}
