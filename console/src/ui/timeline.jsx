// The waves of a rollout over time.
import { useEffect, useRef, useState } from 'preact/hooks';
import { clock, count, unixOf } from '../format.js';
import { isOver } from '../rollouts.js';
import { LANE, LEFT, lanesOf, spanOf } from '../timeline.js';
import { now } from './use.js';
import { partsText } from './wavebar.jsx';

const NARROW = 520; // pixels in which two whole times do not fit

const timeText = (unixS, width) => (width < NARROW ? clock(unixS).slice(11) : clock(unixS));

function Lane({ lane }) {
  const { wave, y, from, parts, gates } = lane;
  return (
    <g>
      <text x={0} y={y + 18}>{wave.name}</text>
      <text class="faint" x={0} y={y + 33}>{wave.phase}, {count(wave.healthy)} / {count(wave.total)}</text>
      {parts.map((part) => (
        <rect key={part.text} class={part.id} x={part.x} y={y + 8} width={part.width} height={24}>
          <title>{`${wave.name}: ${count(part.n)} ${part.text}`}</title>
        </rect>
      ))}
      {wave.failuresAllowed !== undefined && from > 0 && wave.total > 0 && (
        <Limit lane={lane} />
      )}
      {gates.map((gate) => (
        <path key={gate.what} class={`gate ${gate.passed ? 'passed' : ''}`} d={`M${gate.x} ${y + 10}l10 10l-10 10l-10 -10z`}>
          <title>{gate.what}</title>
        </path>
      ))}
    </g>
  );
}

/** Where failures would stop the wave: the part of the bar that they may fill. */
function Limit({ lane: { wave, from, to, y } }) {
  const x = from + (to - from) * (1 - Math.min(1, wave.failuresAllowed / wave.total));
  return <path class="limit" d={`M${x} ${y + 4}v32`}><title>{`at most ${wave.failuresAllowed} may fail`}</title></path>;
}

export function Timeline({ rollout }) {
  const figure = useRef();
  const [width, setWidth] = useState(800);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(320, Math.floor(entry.contentRect.width))));
    observer.observe(figure.current);
    return () => observer.disconnect();
  }, []);
  const nowS = now.value / 1000;
  const span = spanOf(rollout, nowS);
  const lanes = lanesOf(rollout, span, width, nowS);
  const height = lanes.length * LANE + 24;
  const x = (unixS) => LEFT + ((unixS - span.start) / (span.end - span.start)) * (width - LEFT);
  const next = unixOf(rollout.status.next?.when);
  const text = lanes.map(({ wave }) => `${wave.name}: ${wave.phase}, ${partsText(wave)}`).join('. ');
  return (
    <figure class="timeline" ref={figure}>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`Waves. ${text}`}>
        {lanes.map((lane) => <rect key={lane.y} class="lane" x={LEFT} y={lane.y + 8} width={width - LEFT - 1} height={24} />)}
        {lanes.map((lane) => <Lane key={lane.wave.name} lane={lane} />)}
        {!isOver(rollout) && <path class="now" d={`M${x(nowS)} 0V${height - 20}`}><title>now</title></path>}
        {next > nowS && next < span.end && <path class="axis" d={`M${x(next)} 0V${height - 20}`}><title>{rollout.status.next.what}</title></path>}
        <text class="faint" x={LEFT} y={height - 4}>{timeText(span.start, width)}</text>
        <text class="faint" x={width} y={height - 4} text-anchor="end">{timeText(span.end, width)} UTC</text>
      </svg>
    </figure>
  );
}
