import { useEffect, useState } from 'preact/hooks';
import { get } from '../api.js';
import { params, setParam } from '../router.js';
import { Page, Table, Loaded } from '../ui/parts.jsx';
import { Verify } from '../ui/verify.jsx';
import { useLoaded } from '../ui/use.js';

const LIMIT = 100;
const FILTERS = [['user', 'User'], ['verb', 'Verb'], ['resource', 'Resource'], ['q', 'Text']];

const outcome = (record) => record.code;

function Rest({ record }) {
  const { time, user, verb, resource, namespace, name, code, id, groups, chain, ...rest } = record;
  return <code>{Object.entries(rest).map(([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : value}`).join(' ')}</code>;
}

/** Pages that were fetched so far, of one filter. */
function usePages(query) {
  const [records, setRecords] = useState([]);
  const [before, setBefore] = useState('');
  useEffect(() => {
    setRecords([]);
    setBefore('');
  }, [query]);
  const page = useLoaded((signal) => get(`/console/audit?limit=${LIMIT}&${query}${before ? `&before=${encodeURIComponent(before)}` : ''}`, { signal }), [query, before]);
  const more = () => {
    setRecords([...records, ...page.data.records]);
    setBefore(page.data.next);
  };
  return { page, records, more };
}

export default function Audit() {
  const query = new URLSearchParams(FILTERS.map(([name]) => [name, params.value.get(name) ?? '']).filter(([, value]) => value)).toString();
  const { page, records, more } = usePages(query);
  return (
    <Page title="Audit" lead="Who changed what, newest first, as the hub wrote it down.">
      <Verify />
      <div class="controls">
        {FILTERS.map(([name, text]) => (
          <label key={name}>
            {text}{' '}
            <input value={params.value.get(name) ?? ''} onChange={(event) => setParam(name, event.target.value.trim())} />
          </label>
        ))}
      </div>
      <Loaded of={page} what="the log">
        {(data) => (
          <>
            <Table
              caption="Audit log"
              rows={[...records, ...data.records]}
              empty={data.next ? 'Nothing like that in this part of the log.' : 'Nothing like that.'}
              columns={[
                { head: 'Time', cell: (one) => <time>{String(one.time).replace('T', ' ').slice(0, 19)}</time> },
                { head: 'User', cell: (one) => one.user },
                { head: 'Verb', cell: (one) => one.verb },
                { head: 'What', cell: (one) => [one.resource, [one.namespace, one.name].filter(Boolean).join('/')].filter(Boolean).join(' ') },
                { head: 'Answer', number: true, cell: outcome },
                { head: 'More', cell: (one) => <Rest record={one} /> },
              ]}
            />
            {data.next && <button type="button" onClick={more}>Older</button>}
          </>
        )}
      </Loaded>
    </Page>
  );
}
