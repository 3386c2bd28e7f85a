/** A command as a person reads it: for the records and for the list of what was pressed. */
import type { Setup } from '../shared/records.ts';
import type { Command } from '../shared/wire.ts';
import { counted } from '../shared/words.ts';

/** @param titleOf the title of an attack by its name */
export function commandText(
  command: Command,
  setup: Setup,
  titleOf: (attack: string) => string,
): string {
  const what = actionText(command, titleOf);
  if (!('s' in command)) return what;
  const one = setup.stages[command.s]?.architecture;
  return `${one ?? (setup.stages.length === 1 ? setup.stages[0]!.architecture : 'all servers')}: ${what}`;
}

const verbs = { SIGKILL: 'kill -9', SIGSTOP: 'kill -STOP', SIGCONT: 'kill -CONT' } as const;

function actionText(command: Command, titleOf: (attack: string) => string): string {
  switch (command.do) {
    case 'plan':
      return `scene "${command.plan.title}"`;
    case 'again':
      return 'again from the start';
    case 'swap':
      return `${command.stage.architecture} instead`;
    case 'limit':
      return command.value === 0 ? `no ${command.name}` : `${command.name} ${command.value}`;
    case 'dry-run':
      return command.on ? 'limits only report' : 'limits close connections';
    case 'attack':
      return `attack "${titleOf(command.attack)}" for ${counted(command.seconds, 'second')}`;
    case 'calm':
      return 'the attack stops';
    case 'probe':
      return command.on ? 'probe on' : 'probe off';
    case 'signal':
      return `${verbs[command.signal]} ${command.pid}`;
    case 'nc':
      return 'one silent client more';
    case 'release':
      return 'the silent clients leave';
    case 'trace':
      return command.on ? 'trace on' : 'trace off';
    case 'take-over':
      return 'another viewer steers';
    default:
      return command.do;
  }
}
