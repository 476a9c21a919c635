// Federated objects, found by the hub: a page of them at a time.
import { get } from '../api.js';
import { kindName, kindPath, useKinds } from '../kinds.js';
import { may, namespacesWhere } from '../rights.js';
import { params, setParam } from '../router.js';
import { count } from '../format.js';
import { objectLink } from '../ui/palette.jsx';
import { Empty, Loaded, Page, Table, Word } from '../ui/parts.jsx';
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

/** All namespaces, or one by its name; of those who may not see all, one of theirs. */
function Namespace({ namespaces, value }) {
  const choose = (event) => {
    setParam('continue', '');
    setParam('ns', event.target.value.trim());
  };
  return (
    <label>
      Namespace{' '}
      {namespaces
        ? <select value={value} onChange={choose}>{namespaces.map((one) => <option key={one}>{one}</option>)}</select>
        : <input value={value} placeholder="all" onChange={choose} />}
    </label>
  );
}

/** The namespaces of a user who may not list the kind in all of them; undefined: of those who may, or while that is not known. */
function useOwn(type) {
  if (!type?.namespaced || may('list', type.group, type.resource) !== false) return undefined;
  return namespacesWhere('list', type.group, type.resource);
}

export default function Objects() {
  const kinds = useKinds();
  return (
    <Page title="Federated objects">
      <Loaded of={kinds} what="the federated types">{(types) => <OfTypes types={types} />}</Loaded>
    </Page>
  );
}

function OfTypes({ types }) {
  const apart = may('list', 'core.kubefed.io', 'kubefedclusters') === false; // the search is the fleet's
  const kind = params.value.get('kind') ?? '';
  const query = params.value.get('q') ?? '';
  const type = types.find((one) => one.resource === kind) ?? (apart ? types.find((one) => one.namespaced) : undefined);
  const own = useOwn(type);
  const asked = params.value.get('ns') ?? '';
  const namespace = own && !own.includes(asked) ? own[0] : asked;
  return (
    <>
      {!type && <QueryBox label="Find objects" hint="web  ns:shop  kind:deployments  set*" />}
      <div class="controls">
        <label>
          Kind{' '}
          <select value={type?.resource ?? ''} onChange={(event) => chooseKind(event.target.value)}>
            {!apart && <option value="">all, by name</option>}
            {types.map((one) => <option key={one.resource} value={one.resource}>{one.target}</option>)}
          </select>
        </label>
        {type?.namespaced && <Namespace namespaces={own} value={namespace ?? ''} />}
      </div>
      {type && own?.length === 0 && <Empty>You may list these in no namespace.</Empty>}
      {type && own?.length !== 0 && <OfKind type={type} namespace={namespace} />}
      {!type && <Found query={query} />}
    </>
  );
}
