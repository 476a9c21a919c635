import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { coastOf, PER_DEGREE } from '../coast.js';
import { columns } from '../src/fleet.js';
import { ABOUT, degrees, fit, HERE, moved, NOWHERE, placesOf, projection, readView, viewText, WORLD, zoomed } from '../src/geo.js';
import { mapSurface } from '../src/ui/mapsurface.js';

const keys = ['fedlet.io/latitude', 'fedlet.io/longitude', 'zone'];
const strings = [];
const text = (value) => (strings.includes(value) ? strings.indexOf(value) : strings.push(value) - 1);
const labels = (lat, lon, zone) => [lat && [0, text(lat)], lon && [1, text(lon)], zone && [2, text(zone)]].filter(Boolean).flat();
const rows = [['48.85N', '2.35E', 'p'], ['33.45S', '70.66W', 's'], [undefined, undefined, 'p'], ['48.87', '2.37', 'p'], ['91', '0'], [undefined, undefined, 'q']];
const fleet = columns({ version: 1, labelKeys: keys, strings, clusters: rows.map((row, at) => [`c${at}`, 0, 0, 1, 0, 0, labels(...row)]) });

test('degrees as a label can say them', () => {
  const latitude = (value) => degrees(value, 90, 'NS');
  assert.deepEqual(['48.85', '48.85N', '33.45S', '90', '91', '5W', '-3', '', undefined, '1.2.3', '1e1'].map(latitude), [48.85, 48.85, -33.45, 90, ...Array(7).fill(undefined)]);
});

test('who has no coordinates is about where its zone is, or nowhere', () => {
  const places = placesOf(fleet);
  assert.deepEqual([...places.how], [HERE, HERE, ABOUT, HERE, NOWHERE, NOWHERE]);
  assert.equal(places.here, 3);
  assert.ok(Math.abs(places.lat[2] - 48.86) < 0.01 && Math.abs(places.lon[2] - 2.36) < 0.01);
  assert.ok(Math.abs(places.lon[1] + 70.66) < 1e-9);
});

test('a view has all, is a link, and zooms where one points', () => {
  const places = placesOf(fleet);
  const view = fit(places, [0, 1, 2, 3, 4], 1200, 560);
  const to = projection(view, 1200, 560);
  for (const at of [0, 1]) assert.ok(to.x(places.lon[at]) > 0 && to.x(places.lon[at]) < 1200 && to.y(places.lat[at]) > 0 && to.y(places.lat[at]) < 560);
  assert.deepEqual(readView(viewText({ lat: -33.5, lon: 2.25, span: 10 })), { lat: -33.5, lon: 2.25, span: 10 });
  for (const bad of ['', 'a_b_c', '91_0_10', '0_0_0', '0_0_400', '0_0_10_1']) assert.equal(readView(bad), undefined);
  assert.equal(fit(places, [5], 1200, 560), WORLD);
  const near = zoomed(view, 0.5, { lat: 48, lon: 2 });
  const before = (2 - view.lon) / view.span;
  assert.ok(Math.abs((2 - near.lon) / near.span - before) < 1e-9);
});

test('what is dragged by pixels is there by as many pixels, however near it is, and the poles are the end', () => {
  for (const span of [300, 10, 0.02]) {
    const view = { lat: 48, lon: 2, span };
    const next = readView(viewText(moved(view, 120, -40, 1200, 560)));
    const before = projection(view, 1200, 560);
    const after = projection(next, 1200, 560);
    // The height of a degree is that of the middle, which has moved along.
    const [lat, lon] = [before.lat(300), before.lon(500)];
    assert.ok(Math.abs(after.x(lon) - 620) < 1.5, `${span}: ${after.x(lon)}`);
    assert.ok(span > 20 || Math.abs(after.y(lat) - 260) < 2, `${span}: ${after.y(lat)}`);
    assert.equal(next.span, span);
  }
  assert.deepEqual(moved({ lat: 80, lon: 170, span: 300 }, -4000, 4000, 1200, 560), { lat: 90, lon: 180, span: 300 });
});

test('ten thousand clusters at one place have a cell each', () => {
  const n = 10000;
  const places = { lat: new Float64Array(n).fill(48.85), lon: new Float64Array(n).fill(2.35), how: new Uint8Array(n).fill(HERE), here: n };
  const indices = Array.from({ length: n }, (_, at) => at);
  const began = performance.now();
  const surface = mapSurface({ places, indices, n, view: { lat: 48.85, lon: 2.35, span: 10 }, width: 1240, height: 700 });
  assert.ok(performance.now() - began < 500, `${performance.now() - began} ms`);
  assert.equal(new Set(surface.shown.map((at) => surface.y[at] * 4096 + surface.x[at])).size, n);
  for (const at of [0, 1, 5000, 9999]) assert.equal(surface.indexAt(surface.x[at] + 1, surface.y[at] + 1), at);
  assert.equal(surface.inside({ left: 0, top: 0, right: 1240, bottom: 700 }).length, n);
  assert.equal(surface.indexAt(1, 1), undefined);
});

test('arrows go to the nearest in their direction', () => {
  const places = placesOf(fleet);
  const surface = mapSurface({ places, indices: [0, 1, 3], n: 6, view: fit(places, [0, 1, 3], 1200, 560), width: 1200, height: 560 });
  assert.equal(surface.step(undefined, 'ArrowRight'), 0);
  assert.equal(surface.step(0, 'ArrowDown'), 1);
  assert.equal(surface.step(1, 'ArrowDown'), 1);
  assert.ok([0, 3].includes(surface.step(1, 'ArrowUp')));
  assert.equal(surface.step(1, 'x'), undefined);
});

test('the coastlines are closed rings, none right across the map, and small', () => {
  const rings = coastOf(JSON.parse(readFileSync(new URL('../node_modules/world-atlas/land-110m.json', import.meta.url), 'utf8')));
  assert.ok(rings.length > 80);
  for (const ring of rings) {
    let [x, y] = [0, 0];
    let first;
    for (let i = 0; i < ring.length; i += 2) {
      x += ring[i];
      y += ring[i + 1];
      assert.ok(i === 0 || Math.abs(ring[i]) <= 90 * PER_DEGREE || y < -60 * PER_DEGREE, `from ${x - ring[i]} to ${x}`);
      first ??= [x, y];
      assert.ok(Math.abs(x) <= 200 * PER_DEGREE && Math.abs(y) <= 90 * PER_DEGREE);
    }
    assert.deepEqual([x, y], first);
  }
  assert.ok(JSON.stringify(rings).length < 40000);
});
