// Draws cells. Ten thousand of them are one pass for each state, so that colours change ten times and not ten thousand.
import { shownOf, staleOf } from '../fleet.js';
import { STATES } from '../states.js';

const GLYPH_FROM = 14; // pixels of a cell that a glyph takes
const HATCH_FROM = 6;

/** The theme's colours, as the style sheet has them. */
export function readColours(element) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    fill: STATES.map((state) => of(`--${state.id}`)),
    glyph: STATES.map((state) => of(`--on-${state.id}`)),
    ground: of('--panel'),
    text: of('--text'),
    font: style.fontFamily,
    focus: of('--focus'),
  };
}

/** sets: indices by state, for the cells of a list. */
function sort(fleet, indices) {
  const sets = STATES.map(() => []);
  for (const index of indices) sets[shownOf(fleet, index)].push(index);
  return sets;
}

function hatch(context, x, y, size) {
  context.moveTo(x, y + size);
  context.lineTo(x + size, y);
}

export function paintCells(context, fleet, view, indices) {
  const { laid, at, colours } = view;
  const inner = laid.size > 4 ? laid.size - 1 : laid.size;
  sort(fleet, indices).forEach((set, state) => {
    if (set.length === 0) return;
    for (const index of set) {
      if (at.x[index] < 0) continue;
      // What is only remembered is drawn as that: faint on the ground, whatever was there before.
      const faint = staleOf(fleet, index);
      context.fillStyle = colours.ground;
      if (faint) context.fillRect(at.x[index], at.y[index], inner, inner);
      context.globalAlpha = faint ? 0.4 : 1;
      context.fillStyle = colours.fill[state];
      context.fillRect(at.x[index], at.y[index], inner, inner);
    }
    context.globalAlpha = 1;
    if (laid.size >= HATCH_FROM) paintHatches(context, fleet, view, set, state, inner);
    if (laid.size >= GLYPH_FROM) paintGlyphs(context, fleet, view, set, state, inner);
  });
}

function paintHatches(context, fleet, { at, colours }, set, state, inner) {
  context.beginPath();
  for (const index of set) {
    if (at.x[index] >= 0 && staleOf(fleet, index)) hatch(context, at.x[index], at.y[index], inner);
  }
  context.strokeStyle = colours.fill[state];
  context.stroke();
}

function paintGlyphs(context, fleet, { at, colours, laid }, set, state, inner) {
  context.font = `${Math.round(laid.size * 0.6)}px ${colours.font}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (const index of set) {
    if (at.x[index] < 0) continue;
    context.fillStyle = staleOf(fleet, index) ? colours.text : colours.glyph[state];
    context.fillText(STATES[state].glyph, at.x[index] + inner / 2, at.y[index] + inner / 2 + 1);
  }
}

export function paintTitles(context, { laid, colours }) {
  context.fillStyle = colours.text;
  context.font = `12px ${colours.font}`;
  context.textAlign = 'left';
  context.textBaseline = 'alphabetic';
  for (const block of laid.blocks) {
    if (!block.name) continue;
    const width = Math.max(block.columns * laid.size, 90);
    context.fillText(`${block.name} · ${block.indices.length}`, block.x, block.y - 6, width);
  }
}

export function paintCursor(context, { laid, colours }, cursor) {
  const x = cursor.block.x + (cursor.at % cursor.block.columns) * laid.size;
  const y = cursor.block.y + Math.floor(cursor.at / cursor.block.columns) * laid.size;
  context.lineWidth = 2;
  context.strokeStyle = colours.focus;
  context.strokeRect(x - 2, y - 2, laid.size + 3, laid.size + 3);
  context.lineWidth = 1;
}
