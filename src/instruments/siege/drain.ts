/** How a server stops while an attack goes on, and an honest client has just asked. */
import { descendantsOf, isRunning } from '../../os/processes.ts';
import type { Attack } from './attacks.ts';
import type { Defence } from './defence.ts';
import { DRAIN, type DrainVerdict, gradeDrain } from './grade.ts';
import type { Running } from './hostile.ts';
import { enter, type Guest } from './probe.ts';

/** When it is no longer waited for, in ms after its deadline. */
const PATIENCE = 5000;
/** How much longer an answer may take on its way through two processes that want a processor, in ms. */
const ON_ITS_WAY = 250;
/** How often an honest client tries to get in before it. */
const TRIES = 3;

export interface Drained extends DrainVerdict {
  /** How long it took; undefined: it had to be killed. */
  readonly ms: number | undefined;
  /** Connections that were there: answered before they were ended, and cut inside a question or answer. */
  readonly answered: number;
  readonly cut: number;
}

/** @param byDesign why nobody can be answered under this attack, if that is so */
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
  // Asked before it is told to stop: the kernel has the question by then.
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
