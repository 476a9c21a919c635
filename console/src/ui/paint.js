// Draws cells. Ten thousand of them are one pass for each class, so that colours change ten times and not ten thousand.
// What a cell's class is, and how a class looks, a look says (../looks.js).

const GLYPH_FROM = 14; // pixels of a cell that a glyph takes
const HATCH_FROM = 6;

/** The theme's colours, as the style sheet has them: of a look's classes, and of everything else. */
export function readColours(element, look) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    fill: look.classes.map((one) => of(`--${one.id}`)),
    glyph: look.classes.map((one) => of(`--on-${one.id}`)),
    ground: of('--panel'),
    text: of('--text'),
    line: of('--line'),
    edge: of('--edge'),
    land: of('--ground'),
    font: style.fontFamily,
    focus: of('--focus'),
  };
}

/** sets: indices by class, for the cells of a list. */
function sort(look, indices) {
  const sets = look.classes.map(() => []);
  for (const index of indices) sets[look.classOf(index)].push(index);
  return sets;
}

function hatch(context, x, y, size) {
  context.moveTo(x, y + size);
  context.lineTo(x + size, y);
}

/** view: { surface, look, colours } */
export function paintCells(context, view, indices) {
  const { surface: at, look, colours } = view;
  const inner = at.size > 4 ? at.size - 1 : at.size;
  sort(look, indices).forEach((set, one) => {
    if (set.length === 0) return;
    for (const index of set) {
      if (at.x[index] < 0) continue;
      // What is only remembered is drawn as that: faint on the ground, whatever was there before.
      const faint = look.faint(index);
      context.fillStyle = colours.ground;
      if (faint) context.fillRect(at.x[index], at.y[index], inner, inner);
      context.globalAlpha = faint ? 0.4 : 1;
      context.fillStyle = colours.fill[one];
      context.fillRect(at.x[index], at.y[index], inner, inner);
    }
    context.globalAlpha = 1;
    if (at.size >= HATCH_FROM) paintHatches(context, view, set, one, inner);
    if (at.size >= GLYPH_FROM) paintGlyphs(context, view, set, one, inner);
  });
}

function paintHatches(context, { surface: at, look, colours }, set, one, inner) {
  context.beginPath();
  for (const index of set) {
    if (at.x[index] >= 0 && look.faint(index)) hatch(context, at.x[index], at.y[index], inner);
  }
  context.strokeStyle = colours.fill[one];
  context.stroke();
}

function paintGlyphs(context, { surface: at, look, colours }, set, one, inner) {
  context.font = `${Math.round(at.size * 0.6)}px ${colours.font}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (const index of set) {
    if (at.x[index] < 0) continue;
    context.fillStyle = look.faint(index) ? colours.text : colours.glyph[one];
    context.fillText(look.classes[one].glyph, at.x[index] + inner / 2, at.y[index] + inner / 2 + 1);
  }
}

export function paintTitles(context, { surface, colours }) {
  context.fillStyle = colours.text;
  context.font = `12px ${colours.font}`;
  context.textAlign = 'left';
  context.textBaseline = 'alphabetic';
  for (const title of surface.titles) context.fillText(title.text, title.x, title.y, title.width);
}
