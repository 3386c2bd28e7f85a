/** Answers that come when a test says so, and not after a time in which it hopes to have done something. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** The service that answers a gate's question once it is open, and any other at once. */
export const gated = new URL('./services/gated.ts', import.meta.url);

/** What it answers. */
export const OPEN = 'Open.';

let folder: string | undefined;
let count = 0;
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

/** A question, and how to have it answered. */
export function gate() {
  folder ??= mkdtempSync(join(tmpdir(), 'mondo-gate-'));
  const file = join(folder, String(count++));
  return { question: `${file}?`, open: () => writeFileSync(file, '') };
}
