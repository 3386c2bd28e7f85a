/** Answers that come when a test allows it, and not after a fixed time. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** The service that answers a gate's question once it is open, and any other at once. */
export const gated = new URL('./services/gated.ts', import.meta.url);

/** Its answer. */
export const OPEN = 'Open.';

let folder: string | undefined;
let count = 0;
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

/** A question, and a function that lets the service answer it. */
export function gate() {
  folder ??= mkdtempSync(join(tmpdir(), 'mondo-gate-'));
  const file = join(folder, String(count++));
  return { question: `${file}?`, open: () => writeFileSync(file, '') };
}
