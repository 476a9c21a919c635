// What lies over the cells: which are selected, where the cursor is, what is being brushed. A canvas of its own, so that
// a pointer that moves draws no cell again.

/**
 * The line around a set of cells: edges that two of them share are none. [x0, y0, x1, y1, ...] Pure.
 * Positions are whole pixels.
 */
export function outlineOf({ x, y, size }, indices) {
  const edges = new Set();
  const toggle = (left, top, vertical) => {
    const key = (top * 65536 + left) * 2 + vertical;
    if (!edges.delete(key)) edges.add(key);
  };
  for (const index of indices) {
    if (x[index] < 0) continue;
    toggle(x[index], y[index], 0);
    toggle(x[index], y[index] + size, 0);
    toggle(x[index], y[index], 1);
    toggle(x[index] + size, y[index], 1);
  }
  const lines = [];
  for (const key of edges) {
    const vertical = key % 2;
    const at = (key - vertical) / 2;
    const left = at % 65536;
    const top = (at - left) / 65536;
    lines.push(left, top, vertical ? left : left + size, vertical ? top + size : top);
  }
  return lines;
}

export function outlinePath(surface, indices) {
  const lines = outlineOf(surface, indices);
  const path = new Path2D();
  for (let i = 0; i < lines.length; i += 4) {
    path.moveTo(lines[i] - 0.5, lines[i + 1] - 0.5);
    path.lineTo(lines[i + 2] - 0.5, lines[i + 3] - 0.5);
  }
  return path;
}

/** over: { outline, cursor, brush }, each of which may be absent. */
export function paintOverlay(context, view, over) {
  const { surface, colours } = view;
  context.clearRect(0, 0, surface.width, surface.height + 8);
  context.lineCap = 'square';
  if (over.outline) {
    // A seam of the ground below it: the line is seen on cells of every colour.
    for (const [style, width] of [[colours.ground, 4], [colours.text, 2]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.stroke(over.outline);
    }
  }
  context.lineWidth = 2;
  context.strokeStyle = colours.focus;
  if (over.cursor !== undefined && surface.x[over.cursor] >= 0) {
    context.strokeRect(surface.x[over.cursor] - 2, surface.y[over.cursor] - 2, surface.size + 3, surface.size + 3);
  }
  if (over.brush) {
    const { left, top, right, bottom } = over.brush;
    context.globalAlpha = 0.15;
    context.fillStyle = colours.focus;
    context.fillRect(left, top, right - left, bottom - top);
    context.globalAlpha = 1;
    context.strokeRect(left, top, right - left, bottom - top);
  }
}
