// Cases of drive.mjs: the fleet as a picture, and what is selected in it.
import { check, go, tabTo } from './browser.mjs';

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
