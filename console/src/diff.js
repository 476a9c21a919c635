// Line by line what changed, by the longest common part. Pure.

const CELLS_MAX = 4_000_000; // beyond, what is between the common ends is shown as wholly changed

function commonEnds(a, b) {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  return { head, tail };
}

function lengths(a, b) {
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const below = table[(i + 1) * width + j];
      const right = table[i * width + j + 1];
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1] + 1 : Math.max(below, right);
    }
  }
  return table;
}

function middle(a, b) {
  if (a.length * b.length > CELLS_MAX) {
    return [...a.map((text) => ({ kind: 'removed', text })), ...b.map((text) => ({ kind: 'added', text }))];
  }
  const table = lengths(a, b);
  const width = b.length + 1;
  const out = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: 'same', text: a[i++] });
      j++;
    } else if (j === b.length || (i < a.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) {
      out.push({ kind: 'removed', text: a[i++] });
    } else {
      out.push({ kind: 'added', text: b[j++] });
    }
  }
  return out;
}

/** [{ kind: same | added | removed, text }] */
export function diffLines(a, b) {
  const { head, tail } = commonEnds(a, b);
  const same = (text) => ({ kind: 'same', text });
  return [
    ...a.slice(0, head).map(same),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...a.slice(a.length - tail).map(same),
  ];
}

/** The same with long equal stretches cut down to `around` lines at their ends. */
export function foldSame(lines, around = 3) {
  const near = new Uint8Array(lines.length);
  lines.forEach((line, at) => {
    if (line.kind === 'same') return;
    near.fill(1, Math.max(0, at - around), Math.min(lines.length, at + around + 1));
  });
  const out = [];
  lines.forEach((line, at) => {
    if (near[at]) out.push(line);
    else if (out.at(-1)?.kind === 'skipped') out.at(-1).n++;
    else out.push({ kind: 'skipped', n: 1 });
  });
  return out;
}
