/** Commands of viewers, which may be strangers: only what the list names, in its bounds. No Node and no DOM in here. */

import { Field } from '../shared/fields.ts';
import type { Mix } from '../shared/plan.ts';
import { LIMITS, type LimitName, type Plan, type StagePlan, sizes } from '../shared/plan.ts';
import { MOST } from '../shared/records.ts';
import { greatest } from '../shared/scenes.ts';
import type { Command } from '../shared/wire.ts';

/** Most bytes of a command. */
export const MOST_COMMAND_BYTES = 16 * 2 ** 10;
/** Most commands of one viewer in a second. */
export const MOST_COMMANDS = 50;
/** Most seconds of an attack. */
const MOST_SECONDS = 30;
const TITLE = 120;

/** A command is refused. The message is for a person and has one line. */
export class RefusedError extends Error {
  override name = 'RefusedError';
}

/** What a command may name. */
export interface Known {
  /** Names of architectures. */
  readonly architectures: readonly string[];
  /** Names of attacks. */
  readonly attacks: readonly string[];
  /** Number of stages. */
  readonly stages: number;
}

const SIGNALS = ['SIGKILL', 'SIGSTOP', 'SIGCONT'] as const;

/**
 * A command made of a message, with nothing in it that the list does not name.
 * @throws RefusedError
 */
export function commandOf(text: string, known: Known): Command {
  const order = new Field(parsed(text), '', refusal);
  const s = () => order.of('s').integer(-1, known.stages - 1);
  const on = () => order.of('on').truth();
  const verb = order.of('do').value;
  switch (verb) {
    case 'again':
    case 'take-over':
      return { do: verb };
    case 'plan': {
      const plan = planIn(order.of('plan'), known);
      return { do: verb, plan, scene: order.of('scene').text(TITLE) };
    }
    case 'swap': {
      const stage = stageIn(order.of('stage'), known);
      return { do: verb, s: order.of('s').integer(0, known.stages - 1), stage };
    }
    case 'limit': {
      const name = order.of('name').oneOf(LIMITS);
      return { do: verb, s: s(), name, value: limitIn(order.of('value'), name) };
    }
    case 'attack': {
      const attack = order.of('attack').oneOf(known.attacks);
      return { do: verb, s: s(), attack, seconds: order.of('seconds').number(1, MOST_SECONDS) };
    }
    case 'signal': {
      const pid = order.of('pid').integer(2, 2 ** 31);
      const signal = order.of('signal').oneOf(SIGNALS);
      return { do: verb, s: order.of('s').integer(0, known.stages - 1), pid, signal };
    }
    case 'dry-run':
    case 'probe':
    case 'trace':
      return { do: verb, s: s(), on: on() };
    case 'calm':
    case 'restart':
    case 'stop':
    case 'nc':
    case 'release':
      return { do: verb, s: s() };
    default:
      throw order.of('do').fault('a command of the lab');
  }
}

const refusal = (value: string, name: string, wanted: string) =>
  new RefusedError(
    name === ''
      ? `Cannot do this: a command must be ${wanted}`
      : `Cannot do this: ${name} is ${value}; it must be ${wanted}`,
  );

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RefusedError('Cannot do this: the command is no JSON');
  }
}

function planIn(plan: Field, known: Known): Plan {
  const stages = plan.of('stages');
  const list = stages.list(MOST.stages).map((stage) => stageIn(stage, known));
  if (list.length === 0) throw stages.fault(`a list of 1 to ${MOST.stages}`);
  const limits = LIMITS.flatMap((name) => {
    const value = plan.of('limits').of(name);
    return value.value === undefined ? [] : [[name, limitIn(value, name)] as const];
  });
  return {
    title: plan.of('title').text(TITLE),
    seed: plan.of('seed').integer(0, greatest.seed!),
    mix: mixIn(plan.of('mix')),
    stages: list,
    think: plan.of('think').integer(0, greatest.think!),
    thinking: plan.of('thinking').oneOf(['block', 'defer']),
    limits: Object.fromEntries(limits.filter(([, value]) => value > 0)),
    dryRun: plan.of('dryRun').truth(),
  };
}

const limitIn = (value: Field, name: LimitName): number => value.number(0, greatest[name]!);

function mixIn(mix: Field): Mix {
  const number = (name: keyof Mix) => mix.of(name).integer(0, greatest[name]!);
  const made = {
    clients: number('clients'),
    silent: number('silent'),
    slow: number('slow'),
    leaving: number('leaving'),
    pipelining: number('pipelining'),
    pause: number('pause'),
    questions: number('questions'),
  };
  const { clients, silent, slow, leaving, pipelining } = made;
  if (silent + slow + leaving + pipelining > clients) {
    throw mix
      .of('clients')
      .fault('at least the number of its silent, slow, leaving and pipelining');
  }
  return made;
}

function stageIn(stage: Field, { architectures }: Known): StagePlan {
  const given = sizes.flatMap((name) => {
    const field = stage.of(name);
    return field.value === undefined ? [] : [[name, field.integer(1, greatest[name]!)] as const];
  });
  return {
    architecture: stage.of('architecture').oneOf(architectures),
    ...Object.fromEntries(given),
  };
}
