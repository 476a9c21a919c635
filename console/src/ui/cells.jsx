// The fleet on one canvas, whatever arranges it (a surface, see gridSurface) and whatever colours it (a look). The canvas
// says nothing to a screen reader: the table beside it is its twin, and the cell below the cursor is said in a live region.
import { useEffect, useRef, useState } from 'preact/hooks';
import { labelsOf } from '../fleet.js';
import { link, navigate } from '../router.js';
import { onFleetChange } from '../live.js';
import { stateText } from '../states.js';
import { ago, plural } from '../format.js';
import { followPointer, spanOf } from './brush.js';
import { outlinePath, paintOverlay } from './overlay.js';
import { paintCells, paintTitles, readColours } from './paint.js';
import { theme } from './theme.js';

const SAY_AFTER_MS = 250;

function textOf(fleet, index, look) {
  const labels = Object.entries(labelsOf(fleet, index)).map(([key, value]) => `${key}=${value}`).join(' ');
  const counts = [fleet.drift[index] && `${fleet.drift[index]} drifted`, fleet.failed[index] && `${fleet.failed[index]} failed`];
  return [
    `${fleet.names[index]}: ${stateText(fleet.connectivity[index], fleet.delivery[index])}`,
    look.textOf?.(index),
    fleet.since[index] ? `since ${ago(fleet.since[index])}` : '',
    ...counts,
    labels,
  ].filter(Boolean).join(', ');
}

/** A canvas of that size in CSS pixels, sharp on every screen. */
function prepare(canvas, { width, height }, options) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d', options);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

const sizeOf = (surface) => ({ width: surface.width, height: Math.max(surface.height + 4, 24) });

function paintAll(canvas, view, indices) {
  const started = performance.now();
  const size = sizeOf(view.surface);
  view.context = prepare(canvas, size, { alpha: false });
  view.context.fillStyle = view.colours.ground;
  view.context.fillRect(0, 0, size.width, size.height);
  view.surface.paintGround?.(view.context, view.colours);
  paintTitles(view.context, view);
  paintCells(view.context, view, indices);
  performance.measure('grid', { start: started, end: performance.now() });
}

/** What is seen moves along with the pointer, until it is painted where it then is. */
function shift(canvas, over, dx = 0, dy = 0) {
  const moves = dx !== 0 || dy !== 0;
  for (const one of [canvas, over]) one.style.transform = moves ? `translate(${dx}px, ${dy}px)` : '';
  canvas.parentElement.classList.toggle('moving', moves);
}

/** The width that there is, and the view as it was last painted, kept up with the fleet's changes. */
function usePainted({ canvas, over, fleet, indices, surfaceOf, look }) {
  const view = useRef();
  const frame = useRef(0);
  const pending = useRef(new Set());
  const [width, setWidth] = useState(0);
  const [painted, setPainted] = useState(0);

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(canvas.current.parentElement);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    if (width === 0) return;
    const surface = surfaceOf(width);
    view.current = { surface, look, colours: readColours(canvas.current, look) };
    paintAll(canvas.current, view.current, indices);
    view.current.over = prepare(over.current, sizeOf(surface));
    shift(canvas.current, over.current);
    setPainted((n) => n + 1);
  }, [fleet, indices, surfaceOf, look, width, theme.value]);

  useEffect(() => onFleetChange((touched) => {
    if (!touched || !view.current) return; // all: the page renders again
    for (const index of touched) pending.current.add(index);
    frame.current ||= requestAnimationFrame(() => {
      frame.current = 0;
      paintCells(view.current.context, view.current, pending.current);
      pending.current.clear();
    });
  }), [fleet]);
  return { view, width, painted };
}

/**
 *   surfaceOf(width) where the cells are; look  how they are coloured; both change only when the picture does
 *   chosen   indices that are selected; onChoose(indices, 'replace', 'add' or 'toggle'), absent: nothing is selected here
 *   touch    whether a finger selects, and scrolls nothing; onKey(event, view, cursor) keys of the surface's own
 *   onDrag(dx, dy) what is seen was dragged so far, and nothing is selected by pointer; whether it is painted elsewhere now
 */
export function Cells({ fleet, indices, surfaceOf, look, label, chosen, onChoose, touch, onDrag, onKey: ownKey, children }) {
  const canvas = useRef();
  const over = useRef();
  const shown = useRef({}); // what lies over the cells
  const anchor = useRef();
  const [tip, setTip] = useState();
  const [said, setSaid] = useState('');
  const { view, width, painted } = usePainted({ canvas, over, fleet, indices, surfaceOf, look });

  const paintOver = () => view.current && paintOverlay(view.current.over, view.current, shown.current);

  useEffect(() => {
    shown.current.cursor = undefined;
    anchor.current = undefined;
    setTip(undefined);
  }, [fleet, indices, surfaceOf]);

  useEffect(() => {
    shown.current.outline = view.current && chosen?.length > 0 ? outlinePath(view.current.surface, chosen) : undefined;
    paintOver();
  }, [chosen, painted]);

  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => setTip((before) => ({ ...before, spoken: said })), SAY_AFTER_MS);
    return () => clearTimeout(timer);
  }, [said]);

  function point(index) {
    shown.current.cursor = index;
    paintOver();
    if (index === undefined) {
      setTip(undefined);
      return;
    }
    const { surface } = view.current;
    const text = textOf(fleet, index, look);
    setTip({ text, left: surface.x[index], top: surface.y[index] + surface.size + 6 });
    setSaid(text);
  }

  function choose(found, how) {
    onChoose(found, how);
    setSaid(`${plural(found.length, 'cluster')} ${how === 'replace' ? 'selected' : how === 'add' ? 'added' : 'changed'}`);
  }

  function open(index, toggles) {
    if (toggles && onChoose) choose([index], 'toggle');
    else navigate(link('clusters', fleet.names[index]));
  }

  const find = (event) => view.current?.surface.indexAt(event.offsetX, event.offsetY);

  // A render in the middle of a press must not end it: what follows the pointer asks for what is true by then.
  const present = useRef();
  present.current = { onChoose, onDrag, touch, point, choose, open };

  useEffect(() => followPointer(over.current, {
    brushes: (event) => Boolean(present.current.onChoose) && (event.pointerType !== 'touch' || present.current.touch),
    drags: () => Boolean(present.current.onDrag),
    drag(dx, dy) {
      shown.current.dragged = dx !== 0 || dy !== 0;
      present.current.point(undefined);
      shift(canvas.current, over.current, dx, dy);
    },
    dragged(dx, dy) {
      shown.current.dragged = false;
      if (!present.current.onDrag?.(dx, dy)) shift(canvas.current, over.current);
    },
    draw(rectangle) {
      shown.current.brush = rectangle;
      if (rectangle) present.current.point(undefined);
      else paintOver();
    },
    done: (rectangle, adds) => present.current.choose(view.current.surface.inside(rectangle), adds ? 'add' : 'replace'),
    click(event) {
      const index = find(event);
      const title = present.current.onChoose && view.current?.surface.titleAt?.(event.offsetX, event.offsetY);
      const adds = event.shiftKey || event.ctrlKey || event.metaKey;
      if (index !== undefined) present.current.open(index, adds || (event.pointerType === 'touch' && present.current.touch));
      else if (title) present.current.choose(title, adds ? 'add' : 'replace');
    },
  }), []);

  function onMove(event) {
    if (shown.current.brush || shown.current.dragged) return;
    const found = find(event);
    if (found !== shown.current.cursor) point(found);
  }

  /** Shift and arrows: the rectangle from where Shift was first pressed. */
  function extend(from, to) {
    anchor.current ??= { index: from ?? to, base: chosen ?? [] };
    const { surface } = view.current;
    const found = surface.inside(spanOf(surface, anchor.current.index, to));
    onChoose([...anchor.current.base, ...found], 'replace');
  }

  function onKey(event) {
    if (!view.current || indices.length === 0) return;
    const { cursor } = shown.current;
    const command = event.ctrlKey || event.metaKey;
    if (ownKey?.(event, view.current, cursor)) event.preventDefault();
    else if (event.key === 'Enter' && cursor !== undefined) open(cursor, event.shiftKey);
    else if (event.key === ' ' && cursor !== undefined && onChoose) choose([cursor], 'toggle');
    else if (event.key.toLowerCase() === 'a' && command && onChoose) choose(indices, 'replace');
    else if (event.key === 'Escape') {
      point(undefined);
      if (onChoose && chosen?.length > 0) choose([], 'replace');
    } else {
      if (command || event.altKey) return;
      const next = view.current.surface.step(cursor, event.key);
      if (next === undefined) return;
      point(next);
      if (event.shiftKey && onChoose) extend(cursor, next);
      else anchor.current = undefined;
    }
    event.preventDefault();
  }

  return (
    <div
      class="grid"
      role="application"
      aria-roledescription="picture of clusters"
      aria-label={`${label}. Arrow keys move, Enter opens the cluster${onChoose ? ', Space selects, Shift and arrows select more, Ctrl A all' : ''}; T shows the table.`}
      tabIndex={0}
      onKeyDown={onKey}
    >
      <canvas ref={canvas} aria-hidden="true" />
      <canvas
        ref={over}
        class={`over ${onDrag ? 'drags' : touch ? 'touch' : ''}`}
        aria-hidden="true"
        onPointerMove={onMove}
        onPointerLeave={() => point(undefined)}
      />
      {children}
      {tip?.text && (
        <div class="tip" style={{ left: `${Math.min(tip.left, Math.max(0, width - 260))}px`, top: `${tip.top}px` }}>{tip.text}</div>
      )}
      <div class="hidden" role="status">{tip?.spoken}</div>
    </div>
  );
}
