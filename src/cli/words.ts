/** Reads words of the command line for commander, and refuses invalid ones. */
import { InvalidArgumentError, Option } from 'commander';
import { DEFAULT_PORT } from '../host/plan.ts';

export function whole(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('give a whole number.');
}

/** For an option that may be repeated. */
export const collect = (value: string, earlier: readonly string[] = []): string[] => [
  ...earlier,
  value,
];

/** An option that may be given several times. @param usual the default in the help */
export const repeated = (flags: string, help: string, usual: string): Option =>
  new Option(flags, `${help}; may be repeated`).argParser(collect).default([], usual);

function port(text: string): number {
  const number = whole(text);
  if (number <= 65_535) return number;
  throw new InvalidArgumentError('give a port from 0 to 65535.');
}

export const portOption = (help: string, usual = DEFAULT_PORT): Option =>
  new Option('-p, --port <port>', help).argParser(port).default(usual);
