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
 * @param install what `apt-get install` needs for it
 * @param folders where it may be besides the folders of PATH
 * @throws Error in CI (`CI=true`) if it is not: CI skips no test
 */
export function hasProgram(
  name: string,
  install: string,
  folders: readonly string[] = [],
): boolean {
  if (pathOf(name, folders) !== undefined) return true;
  if (process.env.CI === 'true') throw new Error(`${name} is missing: apt-get install ${install}`);
  if (!told.has(name)) console.log(`Skipped, ${name} is missing: apt-get install ${install}`);
  told.add(name);
  return false;
}

function pathOf(name: string, folders: readonly string[]): string | undefined {
  for (const folder of [...(process.env.PATH ?? '').split(':'), ...folders]) {
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
