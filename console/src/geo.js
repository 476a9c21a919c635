// Where on earth clusters are, from their labels. Pure.
//
//   fedlet.io/latitude, fedlet.io/longitude (or latitude, longitude): degrees, "48.8566", with N, S, E or W behind it, since a
//   label's value cannot begin with a minus: "33.45S", "70.66W". Who has none is about where the others of its zone or region
//   are.

const LATITUDE = ['fedlet.io/latitude', 'latitude'];
const LONGITUDE = ['fedlet.io/longitude', 'longitude'];
const NEAR = ['topology.kubernetes.io/zone', 'zone', 'topology.kubernetes.io/region', 'region'];
const RADIAN = Math.PI / 180;

export const NOWHERE = 0;
export const HERE = 1;
export const ABOUT = 2;

export function degrees(text, max, letters) {
  const [, number, letter = ''] = /^(\d{1,3}(?:\.\d{1,9})?)([A-Za-z]?)$/.exec(text ?? '') ?? [];
  const sign = letter === '' ? 0 : letters.indexOf(letter.toUpperCase());
  if (number === undefined || sign < 0 || Number(number) > max) return undefined;
  return sign === 1 ? -Number(number) : Number(number);
}

/** Reads labels by key: which index each key has in this fleet, once. */
function reader(fleet, keys) {
  const wanted = keys.map((key) => fleet.labelKeys.indexOf(key)).filter((at) => at >= 0);
  return (index) => {
    const pairs = fleet.labels[index];
    for (const key of wanted) for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === key) return fleet.strings[pairs[i + 1]];
    return undefined;
  };
}

/** The middle of places on the sphere: sums of unit vectors. */
function add(sum, lat, lon) {
  const across = Math.cos(lat * RADIAN);
  sum[0] += across * Math.cos(lon * RADIAN);
  sum[1] += across * Math.sin(lon * RADIAN);
  sum[2] += Math.sin(lat * RADIAN);
}
const middleOf = ([x, y, z]) => [Math.atan2(z, Math.hypot(x, y)) / RADIAN, Math.atan2(y, x) / RADIAN];

/** { lat, lon, how }: by index of the cluster; how is NOWHERE, HERE or ABOUT; here: how many have coordinates of their own. */
export function placesOf(fleet) {
  const places = { lat: new Float64Array(fleet.n), lon: new Float64Array(fleet.n), how: new Uint8Array(fleet.n), here: 0 };
  const [latitude, longitude] = [reader(fleet, LATITUDE), reader(fleet, LONGITUDE)];
  for (let at = 0; at < fleet.n; at++) {
    const lat = degrees(latitude(at), 90, 'NS');
    const lon = degrees(longitude(at), 180, 'EW');
    if (lat === undefined || lon === undefined) continue;
    Object.assign(places, { here: places.here + 1 });
    places.lat[at] = lat;
    places.lon[at] = lon;
    places.how[at] = HERE;
  }
  if (places.here > 0 && places.here < fleet.n) for (const key of NEAR) placeNear(fleet, places, reader(fleet, [key]));
  return places;
}

function placeNear(fleet, places, near) {
  const sums = new Map();
  for (let at = 0; at < fleet.n; at++) {
    const value = places.how[at] === HERE ? near(at) : undefined;
    if (value === undefined) continue;
    if (!sums.has(value)) sums.set(value, [0, 0, 0]);
    add(sums.get(value), places.lat[at], places.lon[at]);
  }
  for (let at = 0; at < fleet.n; at++) {
    const sum = places.how[at] === NOWHERE ? sums.get(near(at)) : undefined;
    if (!sum) continue;
    [places.lat[at], places.lon[at]] = middleOf(sum);
    places.how[at] = ABOUT;
  }
}

/* ---- a view: the middle, and how many degrees of longitude its width has ---- */

export const WORLD = { lat: 10, lon: 0, span: 360 };
const SPAN_MIN = 0.02;

/** Near enough that what is moved by a pixel is moved. */
export const viewText = ({ lat, lon, span }) => [lat, lon, span].map((value) => Number(value.toFixed(span < 10 ? 5 : 3))).join('_');

export function readView(text) {
  const [lat, lon, span, more] = (text ?? '').split('_').map(Number);
  const right = Math.abs(lat) <= 90 && Math.abs(lon) <= 180 && span >= SPAN_MIN && span <= 360 && more === undefined;
  return right ? { lat, lon, span } : undefined;
}

/** Degrees to pixels, so that shapes in the middle of the view are true. */
export function projection(view, width, height) {
  const scale = width / view.span;
  const tall = scale / Math.max(0.2, Math.cos(view.lat * RADIAN));
  return {
    scale,
    tall,
    x: (lon) => width / 2 + (lon - view.lon) * scale,
    y: (lat) => height / 2 - (lat - view.lat) * tall,
    lon: (x) => view.lon + (x - width / 2) / scale,
    lat: (y) => view.lat - (y - height / 2) / tall,
  };
}

/** The view that has all of the indices that are somewhere, with a margin. */
export function fit(places, indices, width, height) {
  let [south, north, west, east] = [90, -90, 180, -180];
  for (const at of indices) {
    if (places.how[at] === NOWHERE) continue;
    south = Math.min(south, places.lat[at]);
    north = Math.max(north, places.lat[at]);
    west = Math.min(west, places.lon[at]);
    east = Math.max(east, places.lon[at]);
  }
  if (south > north) return WORLD;
  const lat = (south + north) / 2;
  const across = Math.max(0.2, Math.cos(lat * RADIAN));
  const wide = Math.max((east - west) * 1.2, ((north - south) * 1.2 * width) / height / across, 0.5);
  return { lat, lon: (west + east) / 2, span: Math.min(360, wide) };
}

const within = (value, max) => Math.min(max, Math.max(-max, value));

/** The view when what is seen is moved by pixels, to the right and down. */
export function moved(view, dx, dy, width, height) {
  const { scale, tall } = projection(view, width, height);
  return { lat: within(view.lat + dy / tall, 90), lon: within(view.lon - dx / scale, 180), span: view.span };
}

export function zoomed(view, by, at = view) {
  const span = Math.min(360, Math.max(SPAN_MIN, view.span * by));
  const part = span / view.span;
  const middle = (now, to, max) => within(to + (now - to) * part, max);
  return { lat: middle(view.lat, at.lat, 90), lon: middle(view.lon, at.lon, 180), span };
}
