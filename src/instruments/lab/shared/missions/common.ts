/** What the plans and the buttons of the missions share. No Node and no DOM in here. */

import type { Button } from '../mission.ts';
import type { Mix, Plan } from '../plan.ts';
import type { Command } from '../wire.ts';

/** Two honest clients who ask once a visit and come again: they hold no thread for long. */
export const visitors: Mix = {
  clients: 2,
  silent: 0,
  slow: 0,
  leaving: 0,
  pipelining: 0,
  pause: 300,
  questions: 1,
};

/** Clients who stay, with pauses of 400 ms. */
export const stayers: Mix = { ...visitors, pause: 400, questions: 0 };

export const usual = {
  seed: 7,
  mix: visitors,
  think: 100,
  thinking: 'block',
  limits: {},
  dryRun: false,
} as const;

export const press = (label: string, ...commands: readonly Command[]): Button => ({
  label,
  commands: () => commands,
});

export const nc = (s: number, count = 1): Button =>
  press(
    count === 1 ? 'Connect a silent nc' : `Connect ${count} silent nc`,
    ...Array.from({ length: count }, () => ({ do: 'nc', s }) as const),
  );

export const release = (s: number): Button => press('End each nc', { do: 'release', s });

/**
 * Starts the stages of mission `key` again, with another plan and without a probe: its questions would add to those
 * of the clients.
 */
export const planned = (label: string, key: string, plan: Plan): Button =>
  press(label, { do: 'plan', plan, scene: `mission-${key}` });
