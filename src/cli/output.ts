/** Files that a command was asked to write. */
import { writeFileSync } from 'node:fs';
import { CommandError } from './report.ts';

/** @throws CommandError that quotes the file's name */
export function writeOutput(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(
      `Cannot write "${file}": ${code ?? message}; name a file in a folder that you may write to`,
    );
  }
}
