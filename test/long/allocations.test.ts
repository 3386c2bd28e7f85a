/** Over a million questions, a loop of Mondo's own allocates no object per question. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
// The source: the probe counts calls of its module `os/libc.ts`.
import { serve } from '../../src/host/serve.ts';
import { runLoad } from '../../src/instruments/load/run.ts';
import { planOf } from '../../src/instruments/load/schema.ts';
import { whyNoUring } from '../../src/os/uring.ts';
import { until } from '../support/until.ts';

const QUESTIONS = 1_000_000;
/** Questions before the first that counts, while functions are compiled. */
const WARM_UP = 200_000;
/**
 * Allowed bytes per question, for turns and samples: one smallest object (12 bytes) in four questions. On a busy
 * machine a turn has few questions.
 */
const MOST_BYTES = 3;

const folder = mkdtempSync(join(tmpdir(), 'mondo-allocations-'));
afterAll(() => rmSync(folder, { recursive: true }));
const source = fileURLToPath(new URL('../../src', import.meta.url));
const probe = new URL('../support/allocation-probe.mjs', import.meta.url).href;
const libc = new URL('../../src/os/libc.ts', import.meta.url).href;

interface ProfileNode {
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly selfSize: number;
  readonly children: readonly ProfileNode[];
}

/** Bytes per question of each of Mondo's functions, largest first. */
function allocatedBy(node: ProfileNode, into = new Map<string, number>()): Map<string, number> {
  const { functionName, url } = node.callFrame;
  if (node.selfSize > 0 && url.startsWith('file:')) {
    const path = relative(source, fileURLToPath(url));
    const name = `${path} ${functionName}`;
    if (!path.startsWith('..')) into.set(name, (into.get(name) ?? 0) + node.selfSize / QUESTIONS);
  }
  for (const child of node.children) allocatedBy(child, into);
  return into;
}

it.each([
  ['epoll', 'recv'],
  ['poll', 'recv'],
  ['select', 'recv'],
  ['asyncore', 'recv'],
])('a question to %s allocates nothing', { timeout: 900_000 }, allocatesNothing);

const uring = whyNoUring();
it.skipIf(uring !== undefined && process.env.CI !== 'true')(
  `a question to uring allocates nothing${uring === undefined ? '' : ` (no io_uring: ${uring})`}`,
  { timeout: 900_000 },
  () => allocatesNothing('uring', 'io_uring_enter'),
);

async function allocatesNothing(architecture: string, call: string): Promise<void> {
  const file = join(folder, `${architecture}.json`);
  const before = { NODE_OPTIONS: process.env.NODE_OPTIONS, ALLOCATION_PROBE: undefined };
  const config = { file, libc, call, from: WARM_UP, to: WARM_UP + QUESTIONS };
  process.env.NODE_OPTIONS = `${before.NODE_OPTIONS ?? ''} --import ${probe}`.trim();
  process.env.ALLOCATION_PROBE = JSON.stringify(config);
  const server = await serve({ architecture, port: 0 }).finally(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  const enough = new AbortController();
  const plan = planOf({
    port: server.port,
    stages: [{ kind: 'steady', seconds: 600 }],
  });
  const load = runLoad(plan, { signal: enough.signal });
  try {
    await until('a million questions', () => existsSync(file), 600_000);
  } finally {
    enough.abort();
    await load;
    await server.close();
  }
  const allocated = allocatedBy(JSON.parse(readFileSync(file, 'utf8')).head);
  const most = [...allocated].sort(([, one], [, other]) => other - one).slice(0, 5);
  const sum = [...allocated.values()].reduce((all, bytes) => all + bytes, 0);
  expect(sum, JSON.stringify(most)).toBeLessThan(MOST_BYTES);
}
