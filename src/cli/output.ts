/** Files that a command was asked to write. */
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { CommandError } from './report.ts';

/** @throws CommandError that quotes the file's name */
export function writeOutput(file: string, text: string): void {
  orCannotWrite(file, () => writeFileSync(file, text));
}

/**
 * Before the run that is to be written, which may not come again. What is in the file stays.
 *
 * @throws CommandError that quotes the file's name
 */
export function checkOutput(file: string): void {
  orCannotWrite(file, () => {
    const isNew = !existsSync(file);
    closeSync(openSync(file, 'a'));
    if (isNew) rmSync(file);
  });
}

function orCannotWrite(file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(
      `Cannot write "${file}": ${code ?? message}; name a file in a folder that you may write to`,
    );
  }
}
