/** Which stage the buttons of a panel mean: one, or all. */

import { computed } from '@preact/signals';
import { chosen, shown } from './state.ts';

/** -1: all stages. With one stage there is nothing to choose. */
export const target = computed(() => {
  const { length } = shown.value.stages;
  return length === 1 ? 0 : chosen.value < length ? chosen.value : 0;
});

export function Target({ hasAll }: { readonly hasAll: boolean }) {
  const { stages } = shown.value;
  if (stages.length < 2) return null;
  const choices = stages.map(({ setup }, index) => [index, setup.architecture] as const);
  return (
    <fieldset class="target">
      <legend>Which server</legend>
      {[...(hasAll ? [[-1, 'all'] as const] : []), ...choices].map(([index, name]) => (
        <label key={index}>
          <input
            type="radio"
            name="target"
            checked={target.value === index}
            onChange={() => {
              chosen.value = index;
            }}
          />
          {name}
        </label>
      ))}
    </fieldset>
  );
}
