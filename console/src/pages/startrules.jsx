// The fields of the form that starts a rollout: what changes, and by which rules it goes on.
import { plural } from '../format.js';
import { imagesOf, leavesOf, valueAt } from '../start.js';

export const OWN = 'own'; // a policy made of the selection
export const AS_IS = 'as-is';

const isText = (value) => value === undefined || typeof value === 'string';

/** What a form begins with, for an object. */
export function firstChange(object) {
  const [image] = imagesOf(object.spec.template);
  const path = image?.path ?? leavesOf(object.spec.template).find((leaf) => /^\/(data|spec)\//.test(leaf)) ?? '';
  const before = valueAt(object.spec.template, path);
  return { path, text: isText(before) ? before ?? '' : JSON.stringify(before), asJson: !isText(before), everywhere: true };
}

export function ChangeFields({ object, form, onForm, selected }) {
  const { template } = object.spec;
  const images = imagesOf(template);
  const isImage = images.some((one) => one.path === form.path);
  function choosePath(path) {
    const before = valueAt(template, path);
    onForm({ path, text: isText(before) ? before ?? '' : JSON.stringify(before), asJson: !isText(before) });
  }
  return (
    <fieldset>
      <legend>What changes</legend>
      <div class="row">
        <label>
          Field{' '}
          <select value={isImage ? form.path : ''} onChange={(event) => choosePath(event.target.value)}>
            {images.map((one) => <option key={one.path} value={one.path}>image of {one.name}</option>)}
            <option value="">another field</option>
          </select>
        </label>
        {!isImage && (
          <label>
            Its path in the template{' '}
            <input name="path" value={form.path} list="leaves" spellcheck={false} placeholder="/spec/replicas" onChange={(event) => choosePath(event.target.value.trim())} />
            <datalist id="leaves">{leavesOf(template).map((one) => <option key={one} value={one} />)}</datalist>
          </label>
        )}
        <label class="grow">
          New value{' '}
          <input name="value" value={form.text} spellcheck={false} onInput={(event) => onForm({ text: event.target.value })} />
        </label>
        {!isImage && (
          <label>
            <input type="checkbox" checked={form.asJson} onChange={(event) => onForm({ asJson: event.target.checked })} /> is JSON
          </label>
        )}
      </div>
      <div class="row" role="radiogroup" aria-label="Where it holds in the end">
        <label><input type="radio" name="where" checked={form.everywhere} onChange={() => onForm({ everywhere: true })} /> Everywhere the object goes, the selection first</label>
        <label><input type="radio" name="where" checked={!form.everywhere} onChange={() => onForm({ everywhere: false })} /> In the selection alone ({plural(selected, 'cluster')}), as an override</label>
      </div>
    </fieldset>
  );
}

function OwnRules({ form, onForm, selected }) {
  const text = (name, label, hint) => (
    <label>{label} <input name={name} value={form[name]} placeholder={hint} size={12} onInput={(event) => onForm({ [name]: event.target.value.trim() })} /></label>
  );
  return (
    <div class="row">
      {text('name', 'Its name')}
      {text('canary', `Begin with (of ${selected})`, 'all at once')}
      {text('atOnce', 'At once at most', 'all')}
      {text('soak', 'Healthy for', 'as 10m')}
      {text('maxFailures', 'May fail', 'none')}
      <label>
        Then{' '}
        <select value={form.onFailure} onChange={(event) => onForm({ onFailure: event.target.value })}>
          <option value="Pause">pause</option>
          <option value="Rollback">roll back</option>
        </select>
      </label>
      <label><input type="checkbox" name="approval" checked={form.approval} onChange={(event) => onForm({ approval: event.target.checked })} /> somebody approves the next wave</label>
    </div>
  );
}

export function RuleFields({ policies, mayMake, form, onForm, selected }) {
  return (
    <fieldset>
      <legend>By which rules</legend>
      <label>
        Policy{' '}
        <select value={form.rules} onChange={(event) => onForm({ rules: event.target.value })}>
          {mayMake && <option value={OWN}>a new one: the selection is its first wave</option>}
          <option value={AS_IS}>as the object is governed now</option>
          {policies.map((name) => <option key={name} value={`policy/${name}`}>{name}</option>)}
        </select>
      </label>
      {form.rules === OWN && <OwnRules form={form} onForm={onForm} selected={selected} />}
    </fieldset>
  );
}
