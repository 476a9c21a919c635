// The coastlines of the map, made when the page is built from world-atlas (Natural Earth's 1:110m land, in the public domain):
// rings of whole numbers, 5 to a degree, each point as the difference to the one before.
import { readFileSync } from 'node:fs';

export const PER_DEGREE = 5;

function decodeArcs({ arcs, transform: { scale, translate } }) {
  return arcs.map((arc) => {
    let [x, y] = [0, 0];
    return arc.map(([dx, dy]) => [(x += dx) * scale[0] + translate[0], (y += dy) * scale[1] + translate[1]]);
  });
}

const ringOf = (arcs, indices) => indices.flatMap((index) => (index < 0 ? [...arcs[~index]].reverse() : arcs[index]));

/** One ring as [x, y, dx, dy, ...], without points that fall together; nothing when it is too small to be seen. */
function packed(ring) {
  const out = [];
  let [x, y] = [0, 0];
  for (const [lon, lat] of ring) {
    const [nx, ny] = [Math.round(lon * PER_DEGREE), Math.round(lat * PER_DEGREE)];
    if (out.length > 0 && nx === x && ny === y) continue;
    out.push(nx - x, ny - y);
    [x, y] = [nx, ny];
  }
  return out.length >= 8 ? out : undefined;
}

/** A ring over the line where the day changes goes on behind it, and not right across the map. The ice goes around its pole. */
function unwrapped(ring) {
  let turn = 0;
  const turned = ring.map(([lon, lat], at) => {
    const jump = at > 0 && lat > -60 ? lon - ring[at - 1][0] : 0;
    if (Math.abs(jump) > 180) turn -= Math.sign(jump) * 360;
    return [lon + turn, lat];
  });
  // Where most of it is decides on which side of the line it is drawn.
  const lons = turned.map(([lon]) => lon);
  const shift = 360 * Math.round((Math.min(...lons) + Math.max(...lons)) / 720);
  return turned.map(([lon, lat]) => [lon - shift, lat]);
}

export function coastOf(topology) {
  const arcs = decodeArcs(topology);
  const { geometries } = topology.objects.land;
  const polygons = geometries.flatMap((one) => (one.type === 'MultiPolygon' ? one.arcs : [one.arcs]));
  return polygons.flat().map((indices) => packed(unwrapped(ringOf(arcs, indices)))).filter(Boolean);
}

/** For Vite: the module "virtual:coast". */
export function coastModule() {
  return {
    name: 'coast',
    resolveId: (id) => (id === 'virtual:coast' ? '\0coast' : undefined),
    load(id) {
      if (id !== '\0coast') return undefined;
      const topology = JSON.parse(readFileSync(new URL('node_modules/world-atlas/land-110m.json', import.meta.url), 'utf8'));
      return `export const PER_DEGREE = ${PER_DEGREE};\nexport const rings = ${JSON.stringify(coastOf(topology))};`;
    },
  };
}
