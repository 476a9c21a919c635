// The fleet on one canvas. The canvas says nothing to a screen reader: the table beside it is its twin, and the cell
// below the cursor is said in a live region.
import { useEffect, useRef, useState } from 'preact/hooks';
import { groupBy, labelsOf } from '../fleet.js';
import { link, navigate } from '../router.js';
import { onFleetChange } from '../live.js';
import { stateText } from '../states.js';
import { ago } from '../format.js';
import { cellAt, layOut, positions, step } from './layout.js';
import { paintCells, paintCursor, paintTitles, readColours } from './paint.js';
import { theme } from './theme.js';

const SAY_AFTER_MS = 250;

function textOf(fleet, index) {
  const labels = Object.entries(labelsOf(fleet, index)).map(([key, value]) => `${key}=${value}`).join(' ');
  const counts = [fleet.drift[index] && `${fleet.drift[index]} drifted`, fleet.failed[index] && `${fleet.failed[index]} failed`];
  return [
    `${fleet.names[index]}: ${stateText(fleet.connectivity[index], fleet.delivery[index])}`,
    fleet.since[index] ? `since ${ago(fleet.since[index])}` : '',
    ...counts,
    labels,
  ].filter(Boolean).join(', ');
}

/** A canvas of that size in CSS pixels, sharp on every screen. */
function prepare(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d', { alpha: false });
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

function paintAll(canvas, fleet, view) {
  const started = performance.now();
  const height = Math.max(view.laid.height + 4, 24);
  view.context = prepare(canvas, view.width, height);
  view.context.fillStyle = view.colours.ground;
  view.context.fillRect(0, 0, view.width, height);
  paintTitles(view.context, view);
  for (const block of view.laid.blocks) paintCells(view.context, fleet, view, block.indices);
  performance.measure('grid', { start: started, end: performance.now() });
}

export function Grid({ fleet, indices, group, height, selected, onSelect, label }) {
  const canvas = useRef();
  const view = useRef();
  const cursor = useRef();
  const frame = useRef(0);
  const pending = useRef(new Set());
  const [width, setWidth] = useState(0);
  const [tip, setTip] = useState();
  const [said, setSaid] = useState('');

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(canvas.current.parentElement);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    if (width === 0) return;
    const laid = layOut(groupBy(fleet, indices, group), width, height);
    view.current = { laid, at: positions(laid, fleet.n), colours: readColours(canvas.current), width };
    cursor.current = undefined;
    paintAll(canvas.current, fleet, view.current);
  }, [fleet, indices, group, width, height, theme.value]);

  useEffect(() => onFleetChange((touched) => {
    if (!touched || !view.current) return; // all: the page renders again
    for (const index of touched) pending.current.add(index);
    frame.current ||= requestAnimationFrame(() => {
      frame.current = 0;
      paintCells(view.current.context, fleet, view.current, pending.current);
      pending.current.clear();
    });
  }), [fleet]);

  useEffect(() => {
    if (!said) return undefined;
    const timer = setTimeout(() => setTip((before) => ({ ...before, spoken: said })), SAY_AFTER_MS);
    return () => clearTimeout(timer);
  }, [said]);

  function show(found) {
    cursor.current = found;
    paintAll(canvas.current, fleet, view.current);
    if (!found) {
      setTip(undefined);
      return;
    }
    paintCursor(view.current.context, view.current, found);
    const { laid } = view.current;
    const text = textOf(fleet, found.block.indices[found.at]);
    setTip({
      text,
      left: found.block.x + (found.at % found.block.columns) * laid.size,
      top: found.block.y + (Math.floor(found.at / found.block.columns) + 1) * laid.size + 6,
    });
    setSaid(text);
  }

  const find = (event) => view.current && cellAt(view.current.laid, event.offsetX, event.offsetY);

  function onMove(event) {
    const found = find(event);
    const before = cursor.current;
    if (found?.block !== before?.block || found?.at !== before?.at) show(found);
  }

  function open(found, event) {
    const index = found.block.indices[found.at];
    if (event.shiftKey && onSelect) onSelect(index);
    else navigate(link('clusters', fleet.names[index]));
  }

  function onKey(event) {
    const { laid } = view.current ?? {};
    if (!laid || indices.length === 0) return;
    if (event.key === 'Enter' && cursor.current) open(cursor.current, event);
    else if (event.key === ' ' && cursor.current && onSelect) onSelect(cursor.current.block.indices[cursor.current.at]);
    else if (event.key === 'Escape') show(undefined);
    else {
      const next = step(laid, cursor.current ?? { block: laid.blocks[0], at: 0 }, event.key);
      if (!next) return;
      show(next);
    }
    event.preventDefault();
  }

  return (
    <div
      class="grid"
      role="application"
      aria-roledescription="grid of clusters"
      aria-label={`${label}. Arrow keys move, Enter opens the cluster${onSelect ? ', Space selects' : ''}; T shows the table.`}
      tabIndex={0}
      onKeyDown={onKey}
    >
      <canvas
        ref={canvas}
        aria-hidden="true"
        onPointerMove={onMove}
        onPointerLeave={() => show(undefined)}
        onClick={(event) => find(event) && open(find(event), event)}
      />
      {tip?.text && (
        <div class="tip" style={{ left: `${Math.min(tip.left, Math.max(0, width - 260))}px`, top: `${tip.top}px` }}>{tip.text}</div>
      )}
      <div class="hidden" role="status">{tip?.spoken}</div>
      {selected?.size > 0 && <p class="note">{selected.size} selected</p>}
    </div>
  );
}
