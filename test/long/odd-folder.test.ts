/** A checkout and a service may be in a folder of any name. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { ODD_NAME, Process } from '../support/processes.ts';
import { until } from '../support/until.ts';

const root = join(import.meta.dirname, '../..');

describe('a checkout in a folder with an odd name', () => {
  const folder = mkdtempSync(join(tmpdir(), ODD_NAME));
  afterAll(() => rmSync(folder, { recursive: true }));
  for (const name of ['src', 'bin', 'package.json']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const service = join(folder, 'my service.mjs');
  writeFileSync(
    service,
    `export default {\n  delimiter: '?',\n  answer() {\n    return 'Yes.';\n  },\n};\n`,
  );
  const questions = join(folder, 'my questions.json');
  writeFileSync(questions, JSON.stringify([{ question: 'Is it?', answer: 'Yes.' }]));
  const mondo = (...words: string[]) =>
    new Process(process.execPath, [join(folder, 'bin', 'mondo'), ...words]);

  // One after the other: the first compiles for the others.
  it.each([
    ['threads', ['threaded', '--threads', '2']],
    ['assistants', ['inetd']],
    ["Node's loop", ['coroutine']],
  ])('serves a service of that folder with %s', async (_, words) => {
    await using server = mondo('serve', ...words, '-p', '0', '--service', service);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    const client = await NetClient.connect(address);
    expect(await ask(client, 'Is it?', 4)).toBe('Yes.');
    await client.close();
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
  });

  it('traces, with the probe in NODE_OPTIONS, and drives load', async () => {
    await using trace = mondo('trace', 'single', '-p', '0', '--service', service);
    const [, port] = await trace.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    await using load = mondo(
      ...['load', '127.0.0.1', '-p', port!, '-c', '1', '--duration', '100ms', '--warm-up', '0'],
      ...['--questions', questions, '--json'],
    );
    expect(JSON.parse((await load.ended()).stdout).outcomes.answered).toBeGreaterThan(0);
    await until('the line to be reported', () => trace.stdout.includes(`return 'Yes.';`));
    trace.child.kill('SIGINT');
    expect((await trace.ended()).code).toBe(0);
  });

  it('is refused in one line if its path has a backslash, because Node loads no such module', async () => {
    const odd = join(folder, 'back\\slash');
    mkdirSync(odd);
    cpSync(join(root, 'bin'), join(odd, 'bin'), { recursive: true });
    await using command = new Process(process.execPath, [join(odd, 'bin', 'mondo'), 'this']);
    const { code, stderr } = await command.ended();
    expect(code).toBe(1);
    expect(stderr).toBe(
      `mondo: Cannot start from "${join(odd, 'bin')}": Node loads no module whose path has a backslash; rename the folder\n`,
    );
  });
});
