// By which label the cells are grouped: a part of the address.
import { params, setParam } from '../router.js';

export const groupKey = () => params.value.get('group') ?? '';

export function GroupBy({ fleet }) {
  return (
    <label>
      Group by{' '}
      <select value={groupKey()} onChange={(event) => setParam('group', event.target.value)}>
        <option value="">nothing</option>
        {fleet.labelKeys.map((key) => <option key={key} value={key}>{key}</option>)}
      </select>
    </label>
  );
}
