// Clusters on a map, as a surface of cells (see gridSurface): each has a cell to itself, as near to where it is as is free.
import { NOWHERE, projection } from '../geo.js';

const GRATICULE = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30]; // degrees from line to line
const LINES = 14;
const RINGS = 400; // a cell is looked for so far away

const sizeOf = (n) => (n <= 500 ? 14 : n <= 3000 ? 9 : n <= 15000 ? 6 : 4);

/** Calls for each cell of the square ring around one until it is taken. */
function ring(column, row, radius, take) {
  if (radius === 0) return take(column, row);
  for (let i = -radius; i <= radius; i++) {
    if (take(column + i, row - radius) || take(column + i, row + radius)) return true;
    if (Math.abs(i) < radius && (take(column - radius, row + i) || take(column + radius, row + i))) return true;
  }
  return false;
}

/** Cells by place: Map of row * 65536 + column -> index. Where many are at one place they lie around it. */
function settle(points, columns, rows, put) {
  const taken = new Map();
  const full = new Map(); // of a place: rings around it without a free cell
  for (const { index, column, row } of points) {
    const home = row * 65536 + column;
    const take = (c, r) => {
      const key = r * 65536 + c;
      if (c < 0 || r < 0 || c >= columns || r >= rows || taken.has(key)) return false;
      taken.set(key, index);
      put(index, c, r);
      return true;
    };
    let radius = full.get(home) ?? 0;
    while (radius < RINGS && !ring(column, row, radius, take)) radius++;
    full.set(home, radius);
  }
  return taken;
}

function paintGraticule(context, colours, to, { width, height }) {
  const step = GRATICULE.find((one) => (width / to.scale) / one <= LINES) ?? 30;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  const name = (value, letters) => `${Math.abs(value).toFixed(digits)}°${value === 0 ? '' : letters[value > 0 ? 0 : 1]}`;
  context.strokeStyle = colours.line;
  context.fillStyle = colours.text;
  context.font = `11px ${colours.font}`;
  context.textAlign = 'left';
  context.textBaseline = 'alphabetic';
  context.lineWidth = 1;
  context.beginPath();
  for (let lon = Math.ceil(Math.max(-180, to.lon(0)) / step) * step; lon <= Math.min(180, to.lon(width)); lon += step) {
    context.moveTo(to.x(lon), 0);
    context.lineTo(to.x(lon), height);
    context.fillText(name(lon, 'EW'), to.x(lon) + 3, height - 4);
  }
  for (let lat = Math.ceil(Math.max(-90, to.lat(height)) / step) * step; lat <= Math.min(90, to.lat(0)); lat += step) {
    context.moveTo(0, to.y(lat));
    context.lineTo(width, to.y(lat));
    context.fillText(name(lat, 'NS'), 3, to.y(lat) - 3);
  }
  context.stroke();
}

function paintLand(context, colours, to, { rings, PER_DEGREE }) {
  context.beginPath();
  for (const points of rings) {
    let [x, y] = [0, 0];
    for (let i = 0; i < points.length; i += 2) {
      x += points[i];
      y += points[i + 1];
      if (i === 0) context.moveTo(to.x(x / PER_DEGREE), to.y(y / PER_DEGREE));
      else context.lineTo(to.x(x / PER_DEGREE), to.y(y / PER_DEGREE));
    }
    context.closePath();
  }
  context.fillStyle = colours.land;
  context.fill('evenodd');
  context.strokeStyle = colours.edge;
  context.lineWidth = 1;
  context.stroke();
}

/** The nearest cell in the direction of an arrow: what is aside counts double. */
function neighbour(surface, shown, from, key) {
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? [0, 0];
  if (dx === 0 && dy === 0) return undefined;
  let best = from;
  let least = Infinity;
  for (const index of shown) {
    const [x, y] = [surface.x[index] - surface.x[from], surface.y[index] - surface.y[from]];
    const ahead = x * dx + y * dy;
    const aside = Math.abs(x * dy + y * dx);
    if (ahead > 0 && ahead + 2 * aside < least) {
      least = ahead + 2 * aside;
      best = index;
    }
  }
  return best;
}

/** view: { lat, lon, span } as in ../geo.js; coast may be absent. */
export function mapSurface({ places, indices, n, view, width, height, coast }) {
  const to = projection(view, width, height);
  const size = sizeOf(indices.length);
  const [x, y] = [new Float32Array(n).fill(-1), new Float32Array(n).fill(-1)];
  const points = [];
  for (const index of indices) {
    if (places.how[index] === NOWHERE) continue;
    const [column, row] = [Math.floor(to.x(places.lon[index]) / size), Math.floor(to.y(places.lat[index]) / size)];
    if (column >= 0 && row >= 0 && column < width / size && row < height / size) points.push({ index, column, row });
  }
  const shown = [];
  const taken = settle(points, Math.floor(width / size), Math.floor(height / size), (index, column, row) => {
    x[index] = column * size;
    y[index] = row * size;
    shown.push(index);
  });
  const surface = {
    size, width, height, x, y, shown,
    titles: [],
    indexAt: (left, top) => taken.get(Math.floor(top / size) * 65536 + Math.floor(left / size)),
    inside: ({ left, top, right, bottom }) =>
      shown.filter((index) => x[index] <= right && x[index] + size > left && y[index] <= bottom && y[index] + size > top),
    step(index, key) {
      if (key === 'Home' || (index === undefined && key.startsWith('Arrow'))) return shown[0];
      if (key === 'End') return shown.at(-1);
      return index === undefined ? undefined : neighbour(surface, shown, index, key);
    },
    paintGround(context, colours) {
      if (coast) paintLand(context, colours, to, coast);
      paintGraticule(context, colours, to, surface);
    },
    placeOf: (left, top) => ({ lat: to.lat(top), lon: to.lon(left) }),
  };
  return surface;
}
