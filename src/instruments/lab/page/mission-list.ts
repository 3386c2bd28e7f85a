/**
 * The texts of missions and votes, the sheet, and Perfetto's format come in a script of their own: they are a quarter of
 * the page, and the first screen does not wait for them. In a recording's page that script stands in the page itself.
 */

import { signal } from '@preact/signals';
import type { Mission } from '../shared/mission.ts';
import type { perfettoOf } from '../shared/perfetto.ts';
import type { Choices } from '../shared/question.ts';
import type * as sheets from '../shared/sheet.ts';

export interface Texts {
  readonly missions: readonly Mission[];
  /** Questions to a class, by the names of the scenes. */
  readonly votes: ReadonlyMap<string, Choices>;
  readonly sheets: Pick<typeof sheets, 'sheetOf' | 'sheetPage' | 'sheetText'>;
  readonly perfettoOf: typeof perfettoOf;
}

/** The two scripts share nothing but this name. */
const shared = globalThis as { mondoTexts?: Texts };

export function handOver(texts: Texts): void {
  shared.mondoTexts = texts;
}

/** Undefined: they are not loaded yet. */
export const texts = signal(shared.mondoTexts);
/** Why they cannot be loaded; '': no failure. */
export const failure = signal('');

export async function loadTexts(): Promise<void> {
  if (texts.value !== undefined) return;
  // Not a literal: the bundler would look for the file.
  const address = '/missions.js';
  try {
    await import(address);
    texts.value = shared.mondoTexts;
    failure.value = '';
  } catch {
    failure.value =
      'Cannot load the second part of the page: the lab does not answer. Start it again.';
  }
}
