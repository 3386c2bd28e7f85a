/** A vote of the class before a scene shows the answer. The lecturer counts hands with the keys A to D. */

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { letterOf } from '../shared/question.ts';
import { onAction } from './keys.ts';
import { loadTexts, texts } from './mission-list.ts';
import { shown } from './state.ts';
import { barsOf, emptyTally, pressed, type Tally, total } from './tally.ts';

/** Choices of a question that the lecturer asks in words. */
const OWN = ['A', 'B', 'C', 'D'];
const tally = signal<Tally>(emptyTally(OWN.length));

export function Vote() {
  const dialog = useRef<HTMLDialogElement>(null);
  const scene = shown.value.setup?.scene ?? '';
  const question = texts.value?.votes.get(scene);
  const choices = question?.choices ?? OWN;
  useEffect(() => {
    tally.value = emptyTally(choices.length);
  }, [scene, question]);
  useEffect(() => {
    return onAction('vote', () => {
      if (dialog.current?.open) dialog.current.close();
      else {
        void loadTexts();
        dialog.current?.showModal();
      }
    });
  }, []);
  const press = (key: string, hasShift = false) => {
    tally.value = pressed(tally.value, key, hasShift);
  };
  const { counts, isRevealed } = tally.value;
  const bars = barsOf(tally.value);
  return (
    <dialog
      ref={dialog}
      class="vote"
      aria-labelledby="vote-title"
      data-own-keys
      onKeyDown={(event) => {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        if (/^[a-dr]$/i.test(event.key)) {
          press(event.key, event.shiftKey);
          event.preventDefault();
        } else if (event.key.toLowerCase() === 'q') {
          dialog.current?.close();
          event.preventDefault();
        }
      }}
    >
      <h2 id="vote-title">{question?.text ?? 'Your own question: hands for A, B, C and D'}</h2>
      <ol>
        {choices.map((choice, index) => {
          const letter = letterOf(index);
          const isRight = isRevealed && index === question?.right;
          return (
            <li key={letter} class={isRight ? 'right' : ''}>
              <button
                type="button"
                aria-label={`${letter}: ${choice}; add a hand`}
                onClick={(event) => press(letter, event.shiftKey)}
              >
                <kbd>{letter}</kbd>
              </button>
              <span class="choice">
                {choice === letter ? '' : choice}
                {isRight && ' ✓'}
              </span>
              {isRevealed && (
                <>
                  <meter aria-hidden="true" min={0} max={1} value={bars[index]} />
                  <output>{counts[index]}</output>
                </>
              )}
            </li>
          );
        })}
      </ol>
      <p role="status">
        {total(tally.value)} {total(tally.value) === 1 ? 'hand' : 'hands'}
        {isRevealed ? '' : ', and the result is hidden'}
      </p>
      <div class="row">
        <button type="button" disabled={isRevealed} onClick={() => press('r')}>
          reveal <kbd>R</kbd>
        </button>
        <button
          type="button"
          onClick={() => {
            tally.value = emptyTally(choices.length);
          }}
        >
          count again
        </button>
        <button type="button" onClick={() => dialog.current?.close()}>
          close <kbd>Esc</kbd>
        </button>
      </div>
      <p class="hint">A key adds a hand, and shift with it takes one away.</p>
    </dialog>
  );
}
