/** Who comes, and what an answer costs: the same for all stages. A change starts all of them again. */

import { useSignal } from '@preact/signals';
import type { Mix, Plan } from '../shared/plan.ts';
import { MOST } from '../shared/records.ts';
import { planOfSetup } from './plans.ts';
import { send, shown, steers } from './state.ts';

export function startPlan(change: Partial<Plan>): void {
  const { setup } = shown.peek();
  if (setup === undefined) return;
  send({ do: 'plan', scene: setup.scene, plan: { ...planOfSetup(setup), ...change } });
}

interface SliderSetup {
  readonly name: string;
  readonly label: string;
  readonly most: number;
  readonly step?: number;
  readonly unit?: string;
}

interface SliderProps extends SliderSetup {
  readonly value: number;
  readonly onSet: (value: number) => void;
}

/** A slider and a field for the same number: a hand takes the one, a keyboard the other. */
function Slider({ name, label, most, step = 1, unit = '', value, onSet }: SliderProps) {
  const drag = useSignal<number | undefined>(undefined);
  const now = drag.value ?? value;
  const set = (text: string) => {
    const next = Math.min(most, Math.max(0, Math.round(Number(text) || 0)));
    drag.value = undefined;
    if (next !== value) onSet(next);
  };
  const id = `slider-${name}`;
  const isOff = !steers.value;
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="range"
        min={0}
        max={Math.max(most, now)}
        step={step}
        value={now}
        disabled={isOff}
        onInput={({ currentTarget }) => {
          drag.value = Number(currentTarget.value);
        }}
        onChange={({ currentTarget }) => set(currentTarget.value)}
      />
      <input
        type="number"
        aria-label={label}
        min={0}
        max={MOST.clients}
        value={now}
        disabled={isOff}
        onChange={({ currentTarget }) => set(currentTarget.value)}
      />
      <span class="unit">{unit}</span>
    </div>
  );
}

const sliders: readonly (SliderSetup & { readonly name: keyof Mix })[] = [
  { name: 'clients', label: 'clients', most: 100 },
  { name: 'silent', label: '■ silent', most: 100 },
  { name: 'slow', label: 'typing slowly', most: 100 },
  { name: 'leaving', label: 'leaving inside a question', most: 100 },
  { name: 'pipelining', label: 'asking all at once', most: 100 },
  { name: 'pause', label: 'pause before a question', most: 3000, step: 100, unit: 'ms' },
];

export function Clients() {
  const { setup } = shown.value;
  if (setup === undefined) return null;
  const { mix } = setup;
  const { think, thinking, seed } = planOfSetup(setup);
  const setMix = (name: keyof Mix, value: number) => {
    const next = { ...mix, [name]: value };
    const tempers = next.silent + next.slow + next.leaving + next.pipelining;
    startPlan({ mix: { ...next, clients: Math.max(next.clients, tempers) } });
  };
  const isOff = !steers.value;
  return (
    <div class="columns">
      <section>
        <h3>Clients</h3>
        {sliders.map((slider) => (
          <Slider
            key={slider.name}
            {...slider}
            value={mix[slider.name]}
            onSet={(value) => setMix(slider.name, value)}
          />
        ))}
      </section>
      <section>
        <h3>Answers</h3>
        <Slider
          name="think"
          label="an answer costs"
          most={2000}
          step={50}
          unit="ms"
          value={think}
          onSet={(value) => startPlan({ think: value })}
        />
        <fieldset>
          <legend>While the server makes an answer</legend>
          {(['block', 'defer'] as const).map((how) => (
            <label key={how}>
              <input
                type="radio"
                name="thinking"
                checked={thinking === how}
                disabled={isOff}
                onChange={() => startPlan({ thinking: how })}
              />
              {how === 'block' ? 'its thread waits (block)' : 'its thread does other work (defer)'}
            </label>
          ))}
        </fieldset>
        <div class="slider">
          <label for="seed">seed: the same one gives the same clients</label>
          <input
            id="seed"
            type="number"
            min={0}
            value={seed}
            disabled={isOff}
            onChange={({ currentTarget }) => {
              startPlan({ seed: Math.max(0, Math.round(Number(currentTarget.value) || 0)) });
            }}
          />
        </div>
      </section>
    </div>
  );
}
