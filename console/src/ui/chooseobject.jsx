// Which federated object: a part of the address, of=RESOURCE/NAMESPACE/NAME.
import { get } from '../api.js';
import { kindName, kindPath, loadKinds, useKinds } from '../kinds.js';
import { setParam } from '../router.js';
import { Loaded } from './parts.jsx';
import { useGet } from './use.js';

const LIST_MAX = 500;

export function ChooseObject({ of }) {
  const kinds = useKinds();
  const [resource, ...rest] = of.split('/');
  const type = kinds.data?.find((one) => kindName(one) === resource);
  const list = useGet(type && `${kindPath(type)}?limit=${LIST_MAX}`, []);
  return (
    <Loaded of={kinds} what="kinds">
      {(types) => (
        <div class="row">
          <label>
            Kind{' '}
            <select value={resource} onChange={(event) => setParam('of', event.target.value)}>
              <option value="">choose one</option>
              {types.filter((one) => one.namespaced && one.target !== 'Namespace').map((one) => <option key={kindName(one)} value={kindName(one)}>{one.target}</option>)}
            </select>
          </label>
          {type && (
            <label class="grow">
              Object, as namespace/name{' '}
              <input name="object" value={rest.join('/')} list="objects" spellcheck={false} onChange={(event) => setParam('of', [resource, event.target.value.trim()].filter(Boolean).join('/'))} />
              <datalist id="objects">{(list.data?.items ?? []).map(({ metadata }) => <option key={metadata.uid} value={`${metadata.namespace}/${metadata.name}`} />)}</datalist>
            </label>
          )}
        </div>
      )}
    </Loaded>
  );
}

/** { path, type, object }; null when none is chosen. */
export async function loadObject(of, signal) {
  const [resource, namespace, name] = of.split('/');
  const type = namespace && name && (await loadKinds()).find((one) => kindName(one) === resource);
  if (!type) return null;
  const path = kindPath(type, namespace, name);
  return { path, type, object: await get(path, { signal }) };
}
