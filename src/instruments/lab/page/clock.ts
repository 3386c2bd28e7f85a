/** For what a person reads rather than watches: the model that is shown, once a second. */

import { effect, type ReadonlySignal, signal } from '@preact/signals';
import type { Model } from '../shared/model.ts';
import { shown } from './state.ts';

const SECOND = 1000;

const slow = signal(shown.peek());
let at = Number.NEGATIVE_INFINITY;
let timer: ReturnType<typeof setTimeout> | undefined;

effect(() => {
  const model = shown.value;
  const now = performance.now();
  clearTimeout(timer);
  const isOther = slow.peek().setup !== model.setup;
  if (now - at >= SECOND || isOther) {
    at = now;
    slow.value = model;
  } else {
    timer = setTimeout(
      () => {
        at = performance.now();
        slow.value = shown.peek();
      },
      SECOND - (now - at),
    );
  }
});

export const eachSecond: ReadonlySignal<Model> = slow;
