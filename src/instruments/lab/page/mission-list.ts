/**
 * The missions come in a script of their own: their texts are a quarter of the page, and the first screen does not
 * wait for them. In a recording's page that script stands in the page itself.
 */

import { signal } from '@preact/signals';
import type { Mission } from '../shared/mission.ts';

/** The two scripts share nothing but this name. */
const shared = globalThis as { mondoMissions?: readonly Mission[] };

export function handOver(missions: readonly Mission[]): void {
  shared.mondoMissions = missions;
}

/** Undefined: they are not loaded yet. */
export const missions = signal(shared.mondoMissions);
/** Why they cannot be loaded; '': no failure. */
export const failure = signal('');

export async function loadMissions(): Promise<void> {
  if (missions.value !== undefined) return;
  // Not a literal: the bundler would look for the file.
  const address = '/missions.js';
  try {
    await import(address);
    missions.value = shared.mondoMissions;
    failure.value = '';
  } catch {
    failure.value = 'Cannot load the missions: the lab does not answer. Start it again.';
  }
}
