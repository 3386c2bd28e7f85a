/** Measures how a server drains during an attack, just after an honest client asked a question. */
import { descendantsOf, isRunning } from '../../os/processes.ts';
import type { Attack } from './attacks.ts';
import type { Defence } from './defence.ts';
import { DRAIN, type DrainVerdict, gradeDrain } from './grade.ts';
import type { Running } from './hostile.ts';
import { enter, type Guest } from './probe.ts';

/** Timeout for the end of the drain, in ms after its deadline. */
const PATIENCE = 5000;
/**
 * Extra time for an answer on its way through two processes that compete for a processor, in ms.
 */
const ON_ITS_WAY = 250;
/** How many times an honest client tries to be served before the drain. */
const TRIES = 3;

export interface Drained extends DrainVerdict {
  /** Duration of the drain; undefined if the server had to be killed. */
  readonly ms: number | undefined;
  /**
   * Connections at the start of the drain: answered before they were closed, and cut inside a
   * question or an answer.
   */
  readonly answered: number;
  readonly cut: number;
}

/** @param byDesign why no client can be answered during this attack, if that is so */
export async function drained(
  defence: Defence,
  { isInside = false }: Attack,
  begin: () => Promise<Running>,
  byDesign: string | undefined,
): Promise<Drained> {
  const { port } = defence.account;
  let guest: Guest | undefined;
  for (let i = 0; i < TRIES && guest === undefined; i++) guest = await enter(port);
  const attacking = await begin();
  const processes = [defence.pid, ...descendantsOf(defence.pid)];
  // The question is sent before the order to drain, so the kernel has it in time.
  const asked = guest?.ask(DRAIN + ON_ITS_WAY);
  const stopped = await defence.stop(DRAIN, PATIENCE);
  const outcome = await asked;
  guest?.leave();
  const kills = isInside ? attacking.intensity().reached : 0;
  await attacking.stop();
  return {
    ...gradeDrain({
      ms: stopped?.ms,
      left: processes.filter(isRunning).length,
      guest: outcome,
      kills,
      byDesign,
    }),
    ms: stopped?.ms,
    answered: stopped?.answered ?? 0,
    cut: stopped?.cut ?? 0,
  };
}
