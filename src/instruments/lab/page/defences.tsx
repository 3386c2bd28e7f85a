/** The limits of a server: each change restarts its worker, and the listener keeps the clients. */

import { useSignal } from '@preact/signals';
import type { Stage } from '../shared/model.ts';
import { LIMITS, type LimitName } from '../shared/plan.ts';
import { Command } from './command.tsx';
import { limitsOf, limitText, units } from './plans.ts';
import { send, shown, steers } from './state.ts';
import { Target, target } from './target.tsx';

export function Defences() {
  const { stages } = shown.value;
  const s = target.value;
  const stage = stages[Math.max(0, s)];
  if (stage === undefined) return null;
  const { command, dryRun: isDry } = stage.setup;
  return (
    <>
      <Target hasAll />
      <div class="limits">
        {LIMITS.map((name) => (
          <Limit key={name} name={name} s={s} stage={stage} />
        ))}
      </div>
      <label>
        <input
          type="checkbox"
          checked={isDry}
          disabled={!steers.value}
          onChange={() => send({ do: 'dry-run', s, on: !isDry })}
        />
        dry run: report what the limits would end, and end nothing
      </label>
      <p>
        <Command text={command} />
      </p>
    </>
  );
}

function Limit({
  name,
  s,
  stage,
}: {
  readonly name: LimitName;
  readonly s: number;
  readonly stage: Stage;
}) {
  const now = limitsOf(stage.setup)[name];
  const { unit, usual, text } = units[name];
  const wish = useSignal(usual);
  const value = now ?? wish.value;
  const isOff = !steers.value;
  const ended = stage.endings.filter(({ reason }) => reason === name).length;
  return (
    <div class="limit">
      <label>
        <input
          type="checkbox"
          checked={now !== undefined}
          disabled={isOff}
          onChange={() => send({ do: 'limit', s, name, value: now === undefined ? value : 0 })}
        />
        <strong>{name}</strong>
      </label>
      <input
        type="number"
        min={1}
        aria-label={`${name}, ${unit === 's' ? 'in seconds' : text}`}
        value={value}
        disabled={isOff}
        onChange={({ currentTarget }) => {
          const next = Math.max(1, Math.round(Number(currentTarget.value) || 1));
          wish.value = next;
          if (now !== undefined) send({ do: 'limit', s, name, value: next });
        }}
      />
      <span class="unit">{unit}</span>
      <span>{text}</span>
      <code>{limitText(name, value)}</code>
      {ended > 0 && <span class="ended">it has just ended {ended}</span>}
    </div>
  );
}
