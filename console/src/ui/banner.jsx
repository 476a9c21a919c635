// Whether what is shown is what is.
import { connection, start } from '../live.js';
import { duration } from '../format.js';
import { now } from './use.js';

export function Banner() {
  const { state, heard } = connection.value;
  const age = duration((Math.max(now.value, Date.now()) - heard) / 1000);
  if (state === 'behind') {
    return (
      <p class="banner" role="alert">
        The hub does not answer. What is shown is {age} old.
        <button type="button" onClick={start}>Try again</button>
      </p>
    );
  }
  if (state === 'polling') {
    return <p class="banner calm" role="status">Live updates are off; the page asks every few seconds instead.</p>;
  }
  if (state === 'apart') {
    return <p class="banner calm" role="status">You have no right to see the fleet: what is shown is of your namespaces, asked for every few seconds.</p>;
  }
  if (state === 'stopped') {
    return <p class="banner" role="alert">You have no right to see the fleet (list of kubefedclusters). Ask for fedlet:viewer.</p>;
  }
  return null;
}
