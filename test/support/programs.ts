/**
 * Programs that a test needs and a machine may not have. Such a test is skipped with a line that says how to
 * install them; never in CI.
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const told = new Set<string>();

/**
 * True if the program is installed.
 *
 * @throws Error in CI (`CI=true`) if it is not: CI skips no test
 */
export function hasProgram(name: string, install: string): boolean {
  if (pathOf(name) !== undefined) return true;
  if (process.env.CI === 'true') throw new Error(`${name} is missing: apt-get install ${install}`);
  if (!told.has(name)) console.log(`Skipped, ${name} is missing: apt-get install ${install}`);
  told.add(name);
  return false;
}

function pathOf(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(':')) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // It is not in this folder.
    }
  }
  return undefined;
}
