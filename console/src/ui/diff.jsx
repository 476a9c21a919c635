import { diffLines, foldSame } from '../diff.js';
import { plural } from '../format.js';
import { yamlLines } from '../yaml.js';
import { Empty } from './parts.jsx';

const SIGN = { same: ' ', added: '+', removed: '-' };

export function Diff({ from, to, label }) {
  const lines = foldSame(diffLines(from ? yamlLines(from) : [], yamlLines(to)));
  if (lines.every((line) => line.kind === 'skipped')) return <Empty>No difference.</Empty>;
  return (
    <pre class="diff" tabIndex={0} role="region" aria-label={label}>
      {lines.map((line, at) => (
        <div key={at} class={line.kind}>{line.kind === 'skipped' ? `  … ${plural(line.n, 'line')} the same` : `${SIGN[line.kind]} ${line.text}`}</div>
      ))}
    </pre>
  );
}

export function Yaml({ of, label }) {
  return <pre class="diff" tabIndex={0} role="region" aria-label={label}>{yamlLines(of).map((line, at) => <div key={at}>{line}</div>)}</pre>;
}
