/** Which options a restart applies at SIGHUP: those that docs/deploy.md names, each with its effect. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { configurable, keyOf } from '../../src/cli/config-schema.ts';
import type { Effective } from '../../src/cli/effective.ts';
import { refusedChanges } from '../../src/cli/serve-configuration.ts';
import { spawnManaged } from '../support/activated.ts';
import { scrape } from '../support/admin.ts';
import { ask, NetClient } from '../support/clients.ts';
import { descendantsOf } from '../support/kernel.ts';
import { NotifyRecorder } from '../support/notify-recorder.ts';
import { type Process, spawnMondo, untilAnotherSignal } from '../support/processes.ts';
import { loadProgram } from '../support/program.ts';
import { sectionOf } from '../support/quotes.ts';
import { listeningAt } from '../support/serve-command.ts';
import { Serving } from '../support/serving.ts';
import { staysPending, until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-reread-'));
afterAll(() => rmSync(folder, { recursive: true }));
const config = join(folder, 'mondo.toml');

/** Answers each question with a word, and a question `Wait?` never: it blocks its thread. */
function serviceOf(word: string): string {
  const file = join(folder, `${word}.mjs`);
  writeFileSync(
    file,
    `export const shared = 'none';
export default { delimiter: '?', answer: (question) => {
  if (question === 'Wait?') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_600_000);
  return '${word}.';
} };`,
  );
  return file;
}

let generation = 1;
async function restartWith(server: Process, lines: readonly string[]): Promise<void> {
  writeFileSync(config, lines.join('\n'));
  server.child.kill('SIGHUP');
  await server.printed(new RegExp(`Restarted: workers of generation ${++generation} serve`));
  // An old worker may accept until it notices the order.
  await until('the end of the old worker', () => descendantsOf(server.pid).length === 1);
}

it('docs/deploy.md has each option in one row, and a restart refuses those of the last row', async () => {
  const program = await loadProgram();
  const serve = program.commands.find((command) => command.name() === 'serve')!;
  const options = configurable(serve);
  const keys = ['architecture', 'host', ...options.map(keyOf)];
  const rows = [...sectionOf('docs/deploy.md', 'A changed file').matchAll(/^\| (`.*?) \|/gm)].map(
    ([, names]) => [...names!.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name!),
  );
  expect(rows.flat().toSorted()).toEqual(keys.toSorted());
  const effective = (value: string): Effective => ({
    ...{ architecture: value, host: value, origins: new Map(), warnings: [] },
    options: Object.fromEntries(options.map((option) => [option.attributeName(), value])),
  });
  const refused = refusedChanges(effective('before'), effective('after'));
  expect(refused.toSorted()).toEqual(rows.at(-1)!.toSorted());
});

it('applies what belongs to the workers, and the times of the stop', async () => {
  generation = 1;
  const admin = `unix:${join(folder, 'admin')}`;
  const fixed = ['architecture = "epoll"', 'port = 0', `admin = "${admin}"`];
  const named = (word: string) => `service = "${serviceOf(word)}"`;
  writeFileSync(config, [...fixed, named('one'), 'stuck = 0'].join('\n'));
  await using server = spawnMondo('serve', '--config', config);
  const address = await listeningAt(server);
  const answered = async (text: string, length: number) => {
    const client = await NetClient.connect(address);
    const answer = await ask(client, text, length);
    await client.close();
    return answer;
  };
  expect(await answered('Which?', 4)).toBe('one.');
  const timed = async () => (await scrape(admin)).get('mondo_answer_seconds_count');
  expect(await timed()).toBeUndefined();

  await restartWith(server, [...fixed, named('two'), 'stuck = 0', 'metrics-latency = true']);
  expect(await answered('Which?', 4)).toBe('two.');
  expect(await answered('Which?'.repeat(65), 4 * 65)).toBe('two.'.repeat(65));
  expect(await timed()).toBeGreaterThan(0);

  // Without a line for the service, it is the Zen again; the header comes first now.
  await restartWith(server, [...fixed, 'proxy-protocol = true', 'trusted = ["127.0.0.1"]']);
  expect(await timed()).toBeUndefined();
  const header = 'PROXY TCP4 203.0.113.7 127.0.0.1 4711 1060\r\n';
  expect(await answered(`${header}Simple is better than?`, 8)).toBe('Complex.');
  await server.printed(/Accepted connection from 203\.0\.113\.7:4711 through/);

  await restartWith(server, [...fixed, named('two'), 'stuck = 100', 'lame-duck = "60m"']);
  const blocked = await NetClient.connect(address);
  await blocked.send('Wait?');
  await server.printed(/is stuck: no turn for \d+ ms/);
  server.child.kill('SIGTERM');
  await server.printed(/Stopping in 3600000 ms: not ready any more/);
  for (let signal = 2; signal <= 3; signal++) {
    await untilAnotherSignal();
    server.child.kill('SIGTERM');
  }
  await server.ended();
  await blocked.close();
  expect(server.stdout).not.toContain('Ignored');
});

/** The processes that serve two clients at the same time. */
async function processesOfTwo(serving: Serving): Promise<number[]> {
  const clients = await Promise.all([1, 2].map(() => NetClient.connect(serving.address)));
  for (const client of clients) await serving.expectAccepted(client.peer);
  const found = clients.map(({ peer }) => {
    const event = serving.events.find((one) => one.type === 'accepted' && one.peer === peer);
    return event?.type === 'accepted' ? event.pid : undefined;
  });
  await Promise.all(clients.map((client) => client.close()));
  return found.filter((pid) => pid !== undefined);
}

it('applies what only one architecture has: the mixin, and the mode of inetd', async () => {
  const crew = await Serving.start({ architecture: 'socketserver' });
  expect(new Set(await processesOfTwo(crew))).toEqual(new Set(crew.server.pids));
  const before = crew.server.pids;
  await crew.server.restart({ mixin: 'forking' });
  await until(
    'the end of the old worker',
    () => !before.some((pid) => crew.server.pids.includes(pid)),
  );
  const forked = await processesOfTwo(crew);
  expect(new Set([...forked, ...crew.server.pids]).size).toBe(3);
  await crew.stop();

  const each = await Serving.start({ architecture: 'inetd' });
  expect(new Set(await processesOfTwo(each)).size).toBe(2);
  const old = each.server.pids;
  await each.server.restart({ inetd: 'wait', processCache: -1 });
  await until(
    'the end of the old worker',
    () => !old.some((pid) => each.server.pids.includes(pid)),
  );
  const first = await NetClient.connect(each.address);
  // It serves one client after the other.
  expect(await ask(first, 'Simple is better than?', 8)).toBe('Complex.');
  const second = await NetClient.connect(each.address);
  const answer = ask(second, 'Simple is better than?', 8);
  expect(await staysPending(answer)).toBe(true);
  await first.close();
  expect(await answer).toBe('Complex.');
  await second.close();
  await each.stop();
});

it('requests as much time of systemd as the new drain may take', async () => {
  using manager = new NotifyRecorder();
  const text = 'architecture = "epoll"\nport = 0\n';
  writeFileSync(config, `${text}drain = "1s"\n`);
  const variables = { NOTIFY_SOCKET: manager.name };
  await using server = spawnManaged([], ['serve', '--config', config], variables);
  await manager.has('READY');
  writeFileSync(config, `${text}drain = "60s"\n`);
  server.child.kill('SIGHUP');
  await manager.has('READY', 2);
  server.child.kill('SIGTERM');
  await server.ended();
  // A stop that takes at most 5 s requests none.
  expect((await manager.has('STOPPING')).fields.EXTEND_TIMEOUT_USEC).toBe('10000000');
});

it('says why a restart cannot have its options, and the old workers serve on', async () => {
  const text = 'architecture = "epoll"\nport = 0\nreuseport = true\n';
  writeFileSync(config, `${text}threads = 2\n`);
  await using server = spawnMondo('serve', '--config', config);
  const address = await listeningAt(server);
  const workers = descendantsOf(server.pid);
  for (const [lines, says] of [
    ['threads = 3', 'Cannot change the number of workers with reuseport'],
    ['threads = 2\nservice = "./no-such-service.mjs"', 'there is no such file'],
  ] as const) {
    writeFileSync(config, `${text}${lines}\n`);
    server.child.kill('SIGHUP');
    const line = 'Cannot restart, the old workers continue to serve: ';
    await server.printed(new RegExp(`${line}.*${says}`));
  }
  expect(descendantsOf(server.pid)).toEqual(workers);
  const client = await NetClient.connect(address);
  expect(await ask(client, 'Simple is better than?', 8)).toBe('Complex.');
  await client.close();
  server.child.kill('SIGTERM');
  expect((await server.ended()).code).toBe(0);
});
