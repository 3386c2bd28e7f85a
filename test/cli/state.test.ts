/** The exercise about lost updates in docs/service.md: its modules and commands, as a reader runs them. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { spawnMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { blocksOf } from '../support/quotes.ts';
import { untilSo } from '../support/until.ts';

const blocks = blocksOf('docs/service.md', 'State');
const folder = mkdtempSync(join(tmpdir(), 'mondo-state-'));
afterAll(() => rmSync(folder, { recursive: true }));

for (const { language, text } of blocks) {
  const [, name] = /^\/\/ (\S+\.mjs)\n/.exec(text) ?? [];
  if (language === 'js') writeFileSync(join(folder, name!), text);
}

const commands = blocks
  .filter(({ language }) => language === 'bash')
  .map(({ text }) => text.trim());
const [clients] = commands.filter((command) => command.startsWith('for client'));
const servers = commands.filter((command) => command.startsWith('npx mondo serve'));

/**
 * Runs a server's command of the page, and then the clients' one. Returns the largest answer, and the log. Each run
 * begins with a new database: it keeps its count, and a second try would count on.
 */
async function run(command: string, architecture = 'threaded') {
  rmSync(join(folder, 'count.db'), { force: true });
  const [, module] = /^npx mondo serve threaded --service \.\/(\S+)$/.exec(command)!;
  await using server = spawnMondo(
    'serve',
    architecture,
    '--service',
    join(folder, module!),
    '-p',
    '0',
  );
  const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  const asked = clients!.replaceAll('1060', port!);
  const { stdout } = await promisify(execFile)('bash', ['-c', asked], { cwd: folder });
  return { largest: Number(stdout), log: server.stdout };
}

describe.runIf(hasProgram('nc', 'netcat-openbsd'))('docs/service.md, lost updates', () => {
  it('has three services', () => {
    expect(servers).toHaveLength(3);
  });

  it('a variable of each thread loses updates, and the server says so; a variable of one loop does not', async () => {
    const threaded = await run(servers[0]!);
    expect(threaded.largest).toBeGreaterThanOrEqual(250);
    expect(threaded.largest).toBeLessThan(1000);
    const line = blocks.find(({ text }) => text.startsWith('4 threads, '))!.text.trim();
    expect(threaded.log).toContain(line.replace('/home/me', folder));
    const epoll = await run(servers[0]!, 'epoll');
    expect(epoll.largest).toBe(1000);
    expect(epoll.log).not.toContain('own copy');
  });

  it('a file that is read and then written loses updates', async () => {
    // On a busy machine the clients may come one after the other.
    const { largest, log } = await untilSo(
      () => run(servers[1]!),
      (result) => result.largest < 1000,
    );
    expect(largest).toBeLessThan(1000);
    expect(log).not.toContain('own copy');
  });

  it('a database that counts in one step loses none', async () => {
    expect((await run(servers[2]!)).largest).toBe(1000);
  });
});
