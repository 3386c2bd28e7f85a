/** The missions, in the order of the chapter's notes. No Node and no DOM in here. */

import type { Mission } from './mission.ts';
import { crowds, deployment } from './missions/crowds.ts';
import { last } from './missions/last.ts';
import { loops } from './missions/loops.ts';
import { silent } from './missions/silent.ts';
import { single } from './missions/single.ts';
import { styles } from './missions/styles.ts';
import { threads } from './missions/threads.ts';

export const missions: readonly Mission[] = [
  ...single,
  ...silent,
  ...threads,
  ...crowds,
  ...loops,
  ...styles,
  ...deployment,
  ...last,
];

export const missionOf = (key: string): Mission | undefined =>
  missions.find((mission) => mission.key === key);
