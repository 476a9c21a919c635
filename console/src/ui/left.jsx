// What a page did not look at, and the means to.
import { count } from '../format.js';

/** left: how many; onMore looks at twice as many. Nothing when nothing is left. */
export function Left({ left, what, onMore }) {
  if (!left) return null;
  return (
    <p class="pager" role="status">
      <span>{count(left)} more {what} were not looked at.</span>
      <button type="button" onClick={onMore}>Look at more</button>
    </p>
  );
}
