// A series over time, drawn by uPlot, which comes when it is needed.
import { useEffect, useRef } from 'preact/hooks';
import 'uplot/dist/uPlot.min.css';
import uPlot from 'uplot';
import { bytes } from '../format.js';
import { theme } from './theme.js';

const HEIGHT = 240;

function options(element, names, width) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: of('--dim'), grid: { stroke: of('--line'), width: 1 }, ticks: { stroke: of('--line') } };
  const strokes = ['--syncing', '--drifted', '--in-sync', '--contested'].map(of);
  const dash = [undefined, [6, 4], undefined, [2, 3]];
  return {
    width,
    height: HEIGHT,
    series: [{}, ...names.map((label, at) => ({ label, stroke: strokes[at % 4], dash: dash[at % 4], width: 1.5, value: (_, v) => (v == null ? '–' : bytes(v)) }))],
    axes: [axis, { ...axis, size: 70, values: (_, ticks) => ticks.map(bytes) }],
  };
}

export default function Chart({ data, names, label }) {
  const element = useRef();
  useEffect(() => {
    const plot = new uPlot(options(element.current, names, element.current.clientWidth || 600), data, element.current);
    const observer = new ResizeObserver(([entry]) => plot.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT }));
    observer.observe(element.current);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [data, theme.value]);
  return <div class="chart" ref={element} role="img" aria-label={label} />;
}
