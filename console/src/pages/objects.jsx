// Federated objects, found by the hub: a page of them at a time.
import { get } from '../api.js';
import { kindName, kindPath, useKinds } from '../kinds.js';
import { params, setParam } from '../router.js';
import { count } from '../format.js';
import { objectLink } from '../ui/palette.jsx';
import { Loaded, Page, Table, Word } from '../ui/parts.jsx';
import { QueryBox } from '../ui/querybox.jsx';
import { useGet, useLoaded } from '../ui/use.js';

const FOUND_MAX = 200;
const PAGE = 100;

const propagation = (object) => object.status?.conditions?.find((one) => one.type === 'Propagation');

function stateWord(object) {
  const condition = propagation(object);
  if (!condition) return 'Pending';
  return condition.status === 'True' ? 'OK' : condition.reason;
}

const nameCell = (resource) => ({
  head: 'Name',
  cell: (one) => {
    const { namespace, name } = one.metadata ?? one;
    return <a href={objectLink({ resource: resource ?? one.resource, namespace, name })}>{name}</a>;
  },
});

function Found({ query }) {
  const found = useLoaded((signal) => get(`/console/search?limit=${FOUND_MAX}&q=${encodeURIComponent(query)}`, { signal }), [query]);
  return (
    <Loaded of={found} what="objects">
      {(data) => (
        <>
          <p class="note" role="status">{count(data.objects.length)} of {count(data.n_objects)} shown</p>
          <Table
            caption="Federated objects"
            rows={data.objects}
            keyOf={(one) => `${one.resource}/${one.namespace}/${one.name}`}
            empty="No federated object is like that."
            columns={[
              { head: 'Namespace', cell: (one) => one.namespace },
              nameCell(),
              { head: 'Kind', cell: (one) => one.resource.split('.')[0] },
            ]}
          />
        </>
      )}
    </Loaded>
  );
}

function OfKind({ type, namespace }) {
  const next = params.value.get('continue') ?? '';
  const path = `${kindPath(type, namespace)}?limit=${PAGE}${next ? `&continue=${encodeURIComponent(next)}` : ''}`;
  const list = useGet(path, [kindName(type)]);
  return (
    <Loaded of={list} what="objects">
      {(data) => (
        <>
          <Table
            caption={`${type.kind} objects`}
            rows={data.items}
            keyOf={(one) => one.metadata.uid}
            empty={`There is no ${type.kind}${namespace ? ` in ${namespace}` : ''}.`}
            columns={[
              { head: 'Namespace', cell: (one) => one.metadata.namespace },
              nameCell(kindName(type)),
              { head: 'State', cell: (one) => <Word word={stateWord(one)} /> },
              { head: 'Clusters', number: true, cell: (one) => count(one.status?.clusters?.length) },
              { head: 'In order', number: true, cell: (one) => count(one.status?.clusters?.filter((at) => !at.status && at.health !== 'Unhealthy').length) },
            ]}
          />
          <nav class="pager" aria-label="Pages of the list">
            {next && <button type="button" onClick={() => setParam('continue', '')}>First page</button>}
            {data.metadata.continue && <button type="button" onClick={() => setParam('continue', data.metadata.continue)}>Next page</button>}
          </nav>
        </>
      )}
    </Loaded>
  );
}

function chooseKind(resource) {
  setParam('continue', '');
  setParam('kind', resource);
}

export default function Objects() {
  const kinds = useKinds();
  const kind = params.value.get('kind') ?? '';
  const query = params.value.get('q') ?? '';
  return (
    <Page title="Federated objects">
      <Loaded of={kinds} what="the federated types">
        {(types) => {
          const type = types.find((one) => one.resource === kind);
          return (
            <>
              {!type && <QueryBox label="Find objects" hint="web  ns:shop  kind:deployments  set*" />}
              <div class="controls">
                <label>
                  Kind{' '}
                  <select value={kind} onChange={(event) => chooseKind(event.target.value)}>
                    <option value="">all, by name</option>
                    {types.map((one) => <option key={one.resource} value={one.resource}>{one.target}</option>)}
                  </select>
                </label>
                {type?.namespaced && (
                  <label>
                    Namespace{' '}
                    <input value={params.value.get('ns') ?? ''} placeholder="all" onChange={(event) => setParam('ns', event.target.value.trim())} />
                  </label>
                )}
              </div>
              {type ? <OfKind type={type} namespace={params.value.get('ns') ?? ''} /> : <Found query={query} />}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}
