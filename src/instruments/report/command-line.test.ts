import { expect, it } from 'vitest';
import { commandLine } from './command-line.ts';

it('quotes the words that a shell would take apart', () => {
  const argv = ['/usr/bin/node', '/x/bin/mondo', 'load', '127.0.0.1', '--question', "it's?\tYes."];
  expect(commandLine(argv)).toBe("npx mondo load 127.0.0.1 --question 'it'\\''s?\tYes.'");
});

it('gives nothing in another program, which has a command of its own', () => {
  expect(commandLine(['/usr/bin/node', '/x/program.js', 'load'])).toBeUndefined();
  expect(commandLine(['/usr/bin/node'])).toBeUndefined();
});
