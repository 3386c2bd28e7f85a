/**
 * What the tests of servers and commands run: the package as `npm run build` makes it, in a folder of its own, so that a
 * test run and a build do not disturb each other. A process starts from it with half the processor time that it takes
 * from the source, and it is what users get. Unit tests import the source.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '..', '..');

/** Below `node_modules`, where the package finds its dependencies. One folder for each run. */
export const built = join(root, 'node_modules', '.cache', 'mondo', String(process.pid));

/** Vitest calls it before all tests of a run, and what it returns after them. */
export default async function build(): Promise<() => void> {
  const run = promisify(execFile);
  const remove = () => rmSync(built, { recursive: true, force: true });
  const dist = join(built, 'dist');
  mkdirSync(built, { recursive: true });
  for (const file of ['bin', 'package.json', join('docs', 'lab')]) {
    cpSync(join(root, file), join(built, file), { recursive: true });
  }
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  try {
    await run(tsc, ['-p', 'tsconfig.build.json', '--outDir', dist], { cwd: root });
    await run(process.execPath, ['tools/bundle.ts', dist], { cwd: root });
  } catch (error) {
    remove();
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`Cannot build what the tests run:\n${stdout}${stderr}`, { cause: error });
  }
  return remove;
}
