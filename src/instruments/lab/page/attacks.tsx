/** The attacks of `mondo siege`, on one server or on all. */

import type { AttackChoice } from '../shared/wire.ts';
import { Command } from './command.tsx';
import { siegeCommand } from './plans.ts';
import { send, shown, steers, welcome } from './state.ts';
import { Target, target } from './target.tsx';

/** How long an attack runs, in s. */
const SECONDS = 10;

/** Why an attack cannot run; '': it can. On all servers it runs where it fits. Pure. */
export function unfitText({ unfit }: AttackChoice, architectures: readonly string[]): string {
  const reasons = architectures.map((name) => unfit[name] ?? '');
  return reasons.some((reason) => reason === '') ? '' : (reasons[0] ?? '');
}

export function Attacks() {
  const { stages } = shown.value;
  const s = target.value;
  const meant = s === -1 ? stages : stages.slice(s, s + 1);
  const names = meant.map(({ setup }) => setup.architecture);
  const running = meant.find(({ attack }) => attack.name !== '')?.attack.name;
  const all = welcome.value?.attacks ?? [];
  const isOff = !steers.value;
  return (
    <>
      <Target hasAll />
      {all.length === 0 && <p>No attacks here: a recording plays, or no hub is connected.</p>}
      <div class="row">
        <button
          type="button"
          disabled={isOff || running === undefined}
          onClick={() => send({ do: 'calm', s })}
        >
          end the attack
        </button>
        {running !== undefined && <Command text={siegeCommand(names[0] ?? '', running, SECONDS)} />}
      </div>
      <ul class="attacks">
        {all.map((attack) => {
          const reason = unfitText(attack, names);
          return (
            <li key={attack.name}>
              <button
                type="button"
                disabled={isOff || reason !== ''}
                aria-pressed={attack.name === running}
                onClick={() => send({ do: 'attack', s, attack: attack.name, seconds: SECONDS })}
              >
                ▲ {attack.title}
              </button>
              <span>{reason === '' ? attack.sentence : `Not here: ${reason}`}</span>
            </li>
          );
        })}
      </ul>
    </>
  );
}
