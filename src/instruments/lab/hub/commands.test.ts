import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scenes } from '../shared/scenes.ts';
import type { Command } from '../shared/wire.ts';
import { commandOf, RefusedError } from './commands.ts';

const known = { architectures: ['single', 'poll'], attacks: ['burn'], stages: 2 };
const of = (value: unknown) => commandOf(JSON.stringify(value), known);

const { key: _key, name: _name, sentence: _sentence, ...plan } = scenes[0]!;

test.each<Command>([
  { do: 'again' },
  { do: 'take-over' },
  { do: 'plan', plan, scene: 'silent' },
  { do: 'swap', s: 1, stage: { architecture: 'poll', threads: 4 } },
  { do: 'limit', s: -1, name: 'idle', value: 3 },
  { do: 'limit', s: 0, name: 'idle', value: 0 },
  { do: 'dry-run', s: 0, on: true },
  { do: 'attack', s: 1, attack: 'burn', seconds: 30 },
  { do: 'calm', s: -1 },
  { do: 'probe', s: 0, on: false },
  { do: 'restart', s: 0 },
  { do: 'stop', s: 1 },
  { do: 'signal', s: 0, pid: 4711, signal: 'SIGSTOP' },
  { do: 'nc', s: 0 },
  { do: 'release', s: 0 },
  { do: 'trace', s: 0, on: true },
])('$do is a command', (command) => {
  expect(of(command)).toEqual(command);
});

test('a command has nothing that the list does not name', () => {
  const command = { do: 'nc', s: 0, host: 'evil.example', port: 25, __proto__: { on: true } };
  expect(of(command)).toEqual({ do: 'nc', s: 0 });
});

const one = plan.stages[0]!;
test.each<[unknown, RegExp]>([
  [undefined, /no JSON/],
  [null, /must be an object/],
  [[], /must be an object/],
  ['again', /must be an object/],
  [{}, /do is nothing/],
  [{ do: 'constructor' }, /do is "constructor"/],
  [{ do: 'nc' }, /s is nothing/],
  [{ do: 'nc', s: 2 }, /number from -1 to 1/],
  [{ do: 'nc', s: 0.5 }, /whole number/],
  [{ do: 'nc', s: '0' }, /whole number/],
  [{ do: 'swap', s: -1, stage: one }, /number from 0 to 1/],
  [{ do: 'swap', s: 0, stage: { architecture: '/bin/sh' } }, /one of single, poll/],
  [{ do: 'swap', s: 0, stage: { ...one, threads: 65 } }, /stage\.threads.*1 to 64/],
  [{ do: 'swap', s: 0, stage: { ...one, threads: 0 } }, /1 to 64/],
  [{ do: 'limit', s: 0, name: 'toString', value: 1 }, /one of idle/],
  [{ do: 'limit', s: 0, name: 'idle', value: -1 }, /0 to 3600/],
  [{ do: 'limit', s: 0, name: 'idle', value: null }, /0 to 3600/],
  [{ do: 'attack', s: 0, attack: 'rm', seconds: 3 }, /one of burn/],
  [{ do: 'attack', s: 0, attack: 'burn', seconds: 31 }, /1 to 30/],
  [{ do: 'probe', s: 0, on: 1 }, /true or false/],
  [{ do: 'signal', s: 0, pid: 1, signal: 'SIGKILL' }, /pid/],
  [{ do: 'signal', s: 0, pid: -4711, signal: 'SIGKILL' }, /pid/],
  [{ do: 'signal', s: 0, pid: 4711, signal: 'SIGUSR1' }, /one of SIGKILL, SIGSTOP, SIGCONT/],
  [{ do: 'plan', scene: '', plan: { ...plan, stages: [] } }, /1 to 4/],
  [{ do: 'plan', scene: '', plan: { ...plan, stages: Array(5).fill(one) } }, /at most 4/],
  [{ do: 'plan', scene: '', plan: { ...plan, think: 5001 } }, /0 to 5000/],
  [{ do: 'plan', scene: '', plan: { ...plan, mix: { ...plan.mix, clients: 2001 } } }, /2000/],
  [{ do: 'plan', scene: '', plan: { ...plan, mix: { ...plan.mix, silent: 7 } } }, /mix\.clients/],
  [{ do: 'plan', scene: '', plan: { ...plan, title: 'x'.repeat(121) } }, /at most 120/],
  [{ do: 'plan', scene: '', plan: { ...plan, seed: 2 ** 32 } }, /seed/],
  [{ do: 'plan', scene: '', plan: { ...plan, thinking: 'never' } }, /block, defer/],
  [{ do: 'plan', scene: '', plan: { ...plan, limits: { idle: 'x' } } }, /limits\.idle/],
  [{ do: 'plan', scene: '', plan: { ...plan, limits: null } }, /an object/],
])('%j is refused in one line', (value, why) => {
  const text = value === undefined ? '{' : JSON.stringify(value);
  const refused = () => commandOf(text, known);
  expect(refused).toThrow(RefusedError);
  expect(refused).toThrow(why);
  expect(refused).not.toThrow(/\n/);
});

test('of limits that a plan has as 0, none is set', () => {
  const command = of({ do: 'plan', scene: '', plan: { ...plan, limits: { idle: 0, extra: 3 } } });
  expect(command).toMatchObject({ plan: { limits: {} } });
});

test('any text is a command or is refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        commandOf(text, known);
      } catch (error) {
        expect(error).toBeInstanceOf(RefusedError);
      }
    }),
  );
});
