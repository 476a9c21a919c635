// The small parts that every page is made of.
import { ago, clock } from '../format.js';
import { stateOf, wordState } from '../states.js';
import { now, useTitle } from './use.js';

export function Page({ title, lead, actions, children }) {
  useTitle(title);
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>{title}</h1>
        {actions && <div class="actions">{actions}</div>}
      </div>
      {lead && <p class="lead">{lead}</p>}
      {children}
    </>
  );
}

export function Card({ title, note, actions, children, wide }) {
  return (
    <section class={wide ? 'card wide' : 'card'} aria-label={typeof title === 'string' ? title : undefined}>
      {title && (
        <header>
          <h2>{title}</h2>
          {note && <span class="note">{note}</span>}
          {actions && <div class="actions">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

/** A state with its glyph: never colour alone. */
export function State({ id, text, stale }) {
  const state = stateOf(id);
  return (
    <span class={`state ${id}${stale ? ' stale' : ''}`}>
      <span class="glyph" aria-hidden="true">{state.glyph}</span>
      {text ?? state.text}
    </span>
  );
}

export const Word = ({ word, stale }) => <State id={wordState(word)} text={word || 'unknown'} stale={stale} />;

export function Age({ unix }) {
  if (!unix) return <span class="dim">never</span>;
  return <time dateTime={new Date(unix * 1000).toISOString()} title={`${clock(unix)} UTC`}>{ago(unix, now.value)}</time>;
}

export const Empty = ({ children }) => <p class="empty">{children}</p>;

/** What stands in place of data: an error, a wait, or the children with the data. */
export function Loaded({ of, what = 'this', children }) {
  const { data, error } = of;
  return (
    <>
      {error && (
        <p class="alert" role="alert">
          {data ? `What is shown is old: ` : `Could not load ${what}: `}
          {error.message}
        </p>
      )}
      {data === undefined ? !error && <p class="empty" role="status">Loading …</p> : children(data)}
    </>
  );
}

/** columns: [{ head, cell(row), number }]; the caption is for who does not see the heading above. */
export function Table({ caption, columns, rows, keyOf, empty = 'None.' }) {
  if (rows.length === 0) return <Empty>{empty}</Empty>;
  return (
    <div class="table" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>{columns.map((column) => <th scope="col" class={column.number ? 'number' : undefined}>{column.head}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={keyOf ? keyOf(row) : at}>
              {columns.map((column) => <td class={column.number ? 'number' : undefined}>{column.cell(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Facts({ facts }) {
  return (
    <dl class="facts">
      {facts.filter(([, value]) => value !== undefined && value !== null && value !== '').map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Labels({ labels }) {
  const pairs = Object.entries(labels ?? {});
  if (pairs.length === 0) return <span class="dim">none</span>;
  return (
    <span class="labels">
      {pairs.map(([key, value]) => (
        <a key={key} class="label" href={`/console/grid?q=${encodeURIComponent(`${key}=${value}`)}`}>{key}={value}</a>
      ))}
    </span>
  );
}

export function Conditions({ conditions = [] }) {
  return (
    <Table
      caption="Conditions"
      rows={conditions}
      keyOf={(row) => row.type}
      empty="No conditions yet."
      columns={[
        { head: 'Condition', cell: (row) => row.type },
        { head: 'Status', cell: (row) => row.status },
        { head: 'Since', cell: (row) => <Age unix={Date.parse(row.lastTransitionTime ?? row.lastUpdateTime ?? '') / 1000} /> },
        { head: 'Why', cell: (row) => [row.reason, row.message].filter(Boolean).join(': ') },
      ]}
    />
  );
}

export function Notice({ notice }) {
  if (!notice) return <p class="hidden" role="status" />;
  return <p class={notice.error ? 'alert' : 'notice'} role={notice.error ? 'alert' : 'status'}>{notice.error?.message ?? notice.text}</p>;
}
