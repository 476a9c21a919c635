// A day of bytes in one line.
import { bytes } from '../format.js';

const WIDTH = 300;
const HEIGHT = 48;

export function sums(bandwidth) {
  const n = bandwidth.series[0]?.from.length ?? 0;
  return Array.from({ length: n }, (_, at) =>
    bandwidth.series.reduce((sum, one) => sum + one.from[at] + one.to[at], 0));
}

export function Sparkline({ of }) {
  if (!of) return <p class="empty">–</p>;
  const values = sums(of);
  const most = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map((value, at) => `${(at * step).toFixed(1)},${(HEIGHT - 2 - (value / most) * (HEIGHT - 4)).toFixed(1)}`);
  const total = values.reduce((sum, value) => sum + value, 0);
  const text = `${bytes(total)}, at most ${bytes(Math.max(0, ...values))} in five minutes`;
  return (
    <figure class="spark">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={text} preserveAspectRatio="none">
        <polyline points={points.length > 1 ? points.join(' ') : `0,${HEIGHT - 2} ${WIDTH},${HEIGHT - 2}`} />
      </svg>
      <figcaption class="note">{text}</figcaption>
    </figure>
  );
}
