/** A checkout of its own for a test that makes a package: `npm pack` builds `dist`, and two builds in one folder fail. */
import { cpSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** What a checkout has only after commands, or is large. */
const LEFT_OUT = new Set(['.git', 'node_modules', 'dist', 'api']);

/** Copies this checkout to a folder that does not exist yet; `node_modules` is that of this one. Returns the folder. */
export function copyCheckout(folder: string): string {
  cpSync(root, folder, { recursive: true, filter: (from) => !LEFT_OUT.has(basename(from)) });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}
