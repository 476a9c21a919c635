// Clusters where they are. Nothing is asked of anybody: the outline of the land comes with the page.
import { useCallback, useMemo, useRef, useState } from 'preact/hooks';
import * as coast from 'virtual:coast';
import { fit, moved, NOWHERE, placesOf, readView, viewText, zoomed } from '../geo.js';
import { stateLook } from '../looks.js';
import { count, plural } from '../format.js';
import { params, setParam } from '../router.js';
import { Cells } from './cells.jsx';
import { mapSurface } from './mapsurface.js';
import { Empty } from './parts.jsx';

const ZOOM = 2;
const WHEEL = 1.2;
const STEP = 0.25; // of what is seen, by key
const ASIDE = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function Missing({ places, indices }) {
  const missing = indices.filter((at) => places.how[at] === NOWHERE).length;
  if (missing === 0) return null;
  return <span>{plural(missing, 'cluster')} not on it: <a href="/console/grid?q=!fedlet.io/latitude">without coordinates</a>. </span>;
}

/** As Grid. */
export default function FleetMap({ fleet, indices, height, look, chosen, ...rest }) {
  const places = useMemo(() => placesOf(fleet), [fleet]);
  const states = useMemo(() => stateLook(fleet), [fleet]);
  const asked = params.value.get('at') ?? '';
  const [drags, setDrags] = useState(false);
  const present = useRef();
  const surfaceOf = useCallback((width) => {
    const view = readView(asked) ?? fit(places, indices, width, height);
    present.current = { view, width, surface: mapSurface({ places, indices, n: fleet.n, view, width, height, coast }) };
    return present.current.surface;
  }, [places, indices, asked, height]);

  // The next key may come before the next frame: it goes on from here.
  function show(view) {
    if (view && present.current) present.current.view = view;
    setParam('at', view ? viewText(view) : '');
  }
  const zoom = (by, at) => present.current && show(zoomed(present.current.view, by, at));
  function pan(dx, dy) {
    const { view, width } = present.current;
    const next = moved(view, dx, dy, width, height);
    show(next);
    return viewText(next) !== viewText(view);
  }
  const toChosen = () => show(fit(places, chosen, present.current.width, height));

  function onKey(event, { surface }, cursor) {
    const at = cursor === undefined ? undefined : surface.placeOf(surface.x[cursor], surface.y[cursor]);
    const aside = ASIDE[event.key];
    if (aside && event.ctrlKey) {
      pan(aside[0] * STEP * surface.width, aside[1] * STEP * surface.height);
      return true;
    }
    if (event.ctrlKey || event.metaKey) return false;
    if (event.key === '+' || event.key === '=') zoom(1 / ZOOM, at);
    else if (event.key === '-') zoom(ZOOM, at);
    else if (event.key === '0') show(undefined);
    else return false;
    return true;
  }

  function onWheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    zoom(event.deltaY > 0 ? WHEEL : 1 / WHEEL, present.current?.surface.placeOf(event.offsetX, event.offsetY));
  }

  if (places.here === 0) {
    return <Empty>No cluster has coordinates: label them, as in <code>fedlet.io/latitude=48.86N</code> and <code>fedlet.io/longitude=2.35E</code>.</Empty>;
  }
  return (
    <div onWheel={onWheel}>
      <div class="controls">
        <button type="button" onClick={() => zoom(1 / ZOOM)} aria-keyshortcuts="+">Nearer</button>
        <button type="button" onClick={() => zoom(ZOOM)} aria-keyshortcuts="-">Farther</button>
        <button type="button" onClick={() => show(undefined)} aria-keyshortcuts="0">All</button>
        <button type="button" aria-pressed={drags} aria-keyshortcuts="Control+ArrowLeft Control+ArrowRight Control+ArrowUp Control+ArrowDown" onClick={() => setDrags(!drags)}>Move by dragging</button>
        <button type="button" disabled={!chosen?.length} onClick={toChosen}>To the selection</button>
        <span class="note">
          <Missing places={places} indices={indices} />
          {count(places.here)} with coordinates; others are about where their zone or region is. Land: Natural Earth.
        </span>
      </div>
      <Cells fleet={fleet} indices={indices} surfaceOf={surfaceOf} look={look ?? states} chosen={chosen} onKey={onKey} onDrag={drags ? pan : undefined} {...rest} />
    </div>
  );
}
