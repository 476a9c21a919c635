import { ago, plural, unixOf } from '../format.js';
import { act, isOver, objectOf, rolloutLink, useRollouts } from '../rollouts.js';
import { may } from '../rights.js';
import { ask } from './dialog.jsx';
import { Left } from './left.jsx';
import { Empty, Loaded, Word } from './parts.jsx';
import { WaveBar } from './wavebar.jsx';

const PAUSABLE = ['Running', 'Soaking', 'AwaitingApproval'];

function pauseAll(rollouts) {
  const clusters = rollouts.reduce((sum, one) => sum + (one.status.clusters?.pending ?? 0), 0);
  ask({
    title: `Pause ${plural(rollouts.length, 'rollout')}`,
    text: `${plural(clusters, 'cluster')} that wait for their turn get nothing new until each rollout is resumed. What has begun goes on.`,
    action: 'Pause all',
    danger: true,
    typed: 'pause all',
    reason: true,
    run: async ({ reason }) => {
      const done = await Promise.allSettled(rollouts.map((one) => act(one, 'pause', { reason })));
      const failed = done.filter((one) => one.status === 'rejected');
      if (failed.length > 0) throw new Error(`${plural(failed.length, 'rollout')} not paused: ${failed[0].reason.message}`);
    },
  });
}

function One({ rollout }) {
  const next = rollout.status?.next;
  return (
    <li>
      <a href={rolloutLink(rollout)}>{objectOf(rollout)}</a> <Word word={rollout.status?.phase} />
      <WaveBar status={rollout.status} />
      {next && <span class="note">Next: {next.what}{next.when ? ` ${ago(unixOf(next.when))}` : ''}{next.waitsFor ? `, waits for ${next.waitsFor}` : ''}</span>}
    </li>
  );
}

export function ActiveRollouts() {
  const rollouts = useRollouts();
  const maySteer = may('patch', 'fedlet.io', 'rollouts');
  return (
    <Loaded of={rollouts} what="rollouts">
      {(all) => {
        const active = all.filter((one) => !isOver(one));
        const pausable = active.filter((one) => PAUSABLE.includes(one.status?.phase));
        if (active.length === 0 && !rollouts.left) return <Empty>None.</Empty>;
        return (
          <>
            <Left left={rollouts.left} what="rollouts" onMore={rollouts.onMore} />
            {active.length > 0 && <ul class="rollouts">{active.slice(0, 8).map((one) => <One key={one.metadata.uid} rollout={one} />)}</ul>}
            {maySteer && pausable.length > 0 && <button type="button" class="danger" onClick={() => pauseAll(pausable)}>Pause all …</button>}
          </>
        );
      }}
    </Loaded>
  );
}
