// Where each cell of the grid is: groups as blocks, side by side, as large as the canvas takes. Pure.

export const TITLE = 20; // pixels above a block
export const GAP = 14; // between blocks
const SIZES = [28, 24, 20, 18, 16, 14, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3];
const NARROWEST = 96; // a block's title wants that much

function columnsOf(n, size, width) {
  const most = Math.max(1, Math.floor(width / size));
  const least = Math.min(most, Math.ceil(NARROWEST / size));
  // A little wider than high, as the page is.
  return Math.min(most, Math.max(least, Math.ceil(Math.sqrt(n * 2))));
}

function place(groups, size, width) {
  const blocks = [];
  let x = 0;
  let y = 0;
  let tallest = 0;
  for (const group of groups) {
    const columns = groups.length === 1 ? Math.max(1, Math.floor(width / size)) : columnsOf(group.indices.length, size, width);
    const rows = Math.max(1, Math.ceil(group.indices.length / columns));
    const title = group.name ? TITLE : 0;
    if (x > 0 && x + columns * size > width) {
      x = 0;
      y += tallest + GAP;
      tallest = 0;
    }
    blocks.push({ name: group.name, indices: group.indices, x, y: y + title, columns, rows });
    x += columns * size + GAP;
    tallest = Math.max(tallest, title + rows * size);
  }
  return { size, width, height: y + tallest, blocks };
}

/** The largest cells with which all groups fit into the height; what never fits becomes higher. */
export function layOut(groups, width, height) {
  let laid;
  for (const size of SIZES) {
    laid = place(groups, size, width);
    if (laid.height <= height) break;
  }
  return laid;
}

/** The cell below a point: { block, at } where at is its place in the block's indices. */
export function cellAt(laid, x, y) {
  for (const block of laid.blocks) {
    const column = Math.floor((x - block.x) / laid.size);
    const row = Math.floor((y - block.y) / laid.size);
    if (column < 0 || column >= block.columns || row < 0 || row >= block.rows) continue;
    const at = row * block.columns + column;
    if (at < block.indices.length) return { block, at };
  }
  return undefined;
}

/** x and y by index of the cluster, for those that are shown: -1 elsewhere. */
export function positions(laid, n) {
  const x = new Float32Array(n).fill(-1);
  const y = new Float32Array(n).fill(-1);
  for (const block of laid.blocks) {
    block.indices.forEach((index, at) => {
      x[index] = block.x + (at % block.columns) * laid.size;
      y[index] = block.y + Math.floor(at / block.columns) * laid.size;
    });
  }
  return { x, y };
}

/** The next cell from one by an arrow key, over the ends of blocks. */
export function step(laid, cursor, key) {
  const { block, at } = cursor;
  const number = laid.blocks.indexOf(block);
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -block.columns, ArrowDown: block.columns }[key];
  if (key === 'Home') return { block: laid.blocks[0], at: 0 };
  if (key === 'End') {
    const last = laid.blocks.at(-1);
    return { block: last, at: last.indices.length - 1 };
  }
  if (by === undefined) return undefined;
  const next = at + by;
  if (next >= 0 && next < block.indices.length) return { block, at: next };
  const other = laid.blocks[number + Math.sign(by)];
  if (!other) return cursor;
  return { block: other, at: by < 0 ? other.indices.length - 1 : 0 };
}

/** Blocks that reach into a rectangle, cut to it: indices of the clusters whose cells it touches. */
export function inside(laid, { left, top, right, bottom }) {
  const found = [];
  for (const block of laid.blocks) {
    const firstColumn = Math.max(0, Math.floor((left - block.x) / laid.size));
    const lastColumn = Math.min(block.columns - 1, Math.floor((right - block.x) / laid.size));
    const firstRow = Math.max(0, Math.floor((top - block.y) / laid.size));
    const lastRow = Math.min(block.rows - 1, Math.floor((bottom - block.y) / laid.size));
    for (let row = firstRow; row <= lastRow; row++) {
      const from = row * block.columns;
      found.push(...block.indices.slice(from + firstColumn, from + lastColumn + 1));
    }
  }
  return found;
}

/** The block whose title is below a point. */
const titled = (laid, x, y) =>
  laid.blocks.find((block) => block.name && y >= block.y - TITLE && y < block.y && x >= block.x && x < block.x + Math.max(block.columns * laid.size, NARROWEST));

/**
 * The grid as a surface: what the canvas needs to know of where clusters are, whatever arranges them.
 *   x, y      by index of the cluster, -1 for what is not shown; size, height  in pixels
 *   indexAt(x, y), step(index or undefined, key), inside(rectangle), titleAt(x, y) -> indices
 */
export function gridSurface(groups, width, height, n) {
  const laid = layOut(groups, width, height);
  const { x, y } = positions(laid, n);
  const indexOf = (found) => found?.block.indices[found.at];
  return {
    size: laid.size,
    width,
    height: laid.height,
    x,
    y,
    titles: laid.blocks.filter((block) => block.name).map((block) => ({
      text: `${block.name} · ${block.indices.length}`,
      x: block.x,
      y: block.y - 6,
      width: Math.max(block.columns * laid.size, 90),
    })),
    indexAt: (left, top) => indexOf(cellAt(laid, left, top)),
    titleAt: (left, top) => titled(laid, left, top)?.indices,
    inside: (rectangle) => inside(laid, rectangle),
    step(index, key) {
      if (laid.blocks.length === 0) return undefined;
      // Nothing is pointed at yet: the first cell is where the way begins.
      const cursor = index === undefined ? { block: laid.blocks[0], at: 0 } : cellAt(laid, x[index], y[index]);
      return indexOf(step(laid, cursor, key));
    },
  };
}
