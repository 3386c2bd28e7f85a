/** What stands under each picture of a lab: what it is, when and where it was, and how to see it again. */

import type { Mix } from './plan.ts';
import type { HeaderRecord, Setup } from './records.ts';
import { sceneNamed } from './scenes.ts';
import { counted } from './words.ts';

/** `2026-11-27 17:20 UTC`; with the seconds of `t`, in ms since the recording began. */
export const dateText = ({ at }: Pick<HeaderRecord, 'at'>, t = 0): string => {
  const date = new Date(Math.min(at + t, 8.64e15));
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
};

/** `Linux 6.18, 2 processors, Node 26.1.0, Mondo 0.1.0` */
export const machineText = ({ machine: { kernel, cpus, node }, mondo }: HeaderRecord): string =>
  `${kernel}, ${counted(cpus, 'processor')}, Node ${node.replace(/^v/, '')}, Mondo ${mondo}`;

/** The command that shows the same clients and servers again. */
export function commandText(setup: Setup): string {
  const { scene, seed, stages } = setup;
  const what =
    sceneNamed(scene) === undefined
      ? stages.map(({ architecture }) => architecture).filter((name) => /^[a-z]+$/.test(name))
      : ['--scene', scene];
  return ['npx mondo lab', ...what, '--seed', seed].join(' ');
}

/** The lines under a picture of the moment `t`, in ms since the recording began. */
export const captionOf = (header: HeaderRecord, setup: Setup, t: number): readonly string[] => [
  `${setup.title === '' ? 'Mondo lab' : setup.title}: ${stagesText(setup)}; ${mixText(setup.mix)}`,
  `${dateText(header, t)}, ${machineText(header)}`,
  commandText(setup),
];

/** `single and poll` */
const stagesText = ({ stages }: Setup): string => {
  const names = stages.map(({ architecture }) => architecture);
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
};

/** `6 clients, 1 of them silent` */
function mixText({ clients, silent }: Mix): string {
  return silent === 0
    ? counted(clients, 'client')
    : `${counted(clients, 'client')}, ${silent.toLocaleString('en')} of them silent`;
}
