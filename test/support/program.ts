/** The commands of `mondo` as commander has them, without the execution of one. */
import { Command } from 'commander';
import { vi } from 'vitest';

/** Loads `src/cli/main.ts`, which would execute a command. Call it once in a file of tests. */
export async function loadProgram(): Promise<Command> {
  let program = new Command();
  const { argv } = process;
  const parsing = vi.spyOn(Command.prototype, 'parseAsync');
  parsing.mockImplementation(async function (this: Command) {
    program = this;
    return this;
  });
  process.argv = ['node', 'mondo', 'this'];
  await import('../../src/cli/main.ts');
  parsing.mockRestore();
  process.argv = argv;
  return program;
}
