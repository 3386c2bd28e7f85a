/**
 * Without system calls of its own, Mondo runs everything that needs none. Everything else reports in one line what
 * is missing.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commands } from '../support/commands.ts';
import { mondo, Process } from '../support/processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-without-'));
afterAll(() => rmSync(folder, { recursive: true }));

function preload(name: string, text: string): string {
  const file = join(folder, `${name}.cjs`);
  writeFileSync(file, text);
  return `--require=${file}`;
}

const elsewhere = preload(
  'elsewhere',
  "Object.defineProperty(process, 'platform', { value: 'darwin' });",
);
/** koffi's behaviour on musl: its native part is there, and the library is not. */
const musl = preload(
  'musl',
  `const { dlopen } = process;
   process.dlopen = (module, ...rest) => {
     dlopen(module, ...rest);
     module.exports.load = (name) => { throw new Error('Error loading shared library ' + name); };
   };`,
);
/** The state after npm install --omit=optional. */
const partMissing = preload(
  'part-missing',
  `const Module = require('node:module');
   const { _resolveFilename } = Module;
   Module._resolveFilename = (name, ...rest) => {
     if (/@koromix|koffi\\.node$/.test(name)) throw new Error("Cannot find module '" + name + "'");
     return _resolveFilename(name, ...rest);
   };
   const fs = require('node:fs');
   const { existsSync } = fs;
   fs.existsSync = (path) => !/@koromix|koffi\\.node$/.test(path) && existsSync(path);`,
);

const run = (options: string, ...words: string[]) =>
  new Process('env', [`NODE_OPTIONS=${options}`, process.execPath, ...words]);

describe.each([
  ['without addons', '--no-addons', /koffi/],
  ["without koffi's native part", partMissing, /koffi/],
  ['with another C library', musl, /glibc/],
  ['on another system', elsewhere, /Linux/],
])('%s', (_, options, reason) => {
  const { run: runHere } = commands({ NODE_OPTIONS: options });

  it('commands that need them report in one line what is missing', async () => {
    const lines = [
      'serve epoll',
      'serve inetd',
      'load 127.0.0.1',
      'compare',
      'siege',
      'trace epoll',
    ];
    await Promise.all(
      lines.map(async (line) => {
        const { code, stdout, stderr } = await runHere(...line.split(' '));
        expect({ line, code, stdout }).toEqual({ line, code: 1, stdout: '' });
        expect(stderr).toMatch(/^mondo: Cannot .*: it makes system calls of its own, and .*\n$/);
        expect(stderr).toMatch(reason);
      }),
    );
  });

  it('lists the catalogue, serves callback, and answers a client', async () => {
    const list = await runHere('architectures', '--json');
    expect(JSON.parse(list.stdout)).toHaveLength(14);
    await using server = run(options, mondo, 'serve', 'callback', '127.0.0.1', '-p', '0');
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const question = ['--ask', 'Simple is better than?'];
    const client = await runHere('client', '127.0.0.1', '-p', port!, ...question);
    expect(client.stdout).toContain('Complex.');
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
  });

  it('serves as a library, and takes callback by itself', async () => {
    const url = new URL('../../src/index.ts', import.meta.url).href;
    const text = `const { serve } = await import('${url}');
      const server = await serve({ port: 0 }, () => {});
      console.log(server.architecture);
      await server.close();`;
    await using program = run(options, '--input-type=module', '-e', text);
    expect(await program.ended()).toEqual({ code: 0, stdout: 'callback\n', stderr: '' });
  });

  // The reason plays no part in it.
  if (options !== '--no-addons') return;

  it('names the fix if a socket file is left', async () => {
    const where = `unix:${join(folder, `left-${process.pid}-${Math.random()}`)}`;
    await using first = run(options, mondo, 'serve', 'callback', where);
    await first.printed(/Listening/);
    first.child.kill('SIGKILL');
    await first.ended();
    await using second = run(options, mondo, 'serve', 'callback', where);
    expect(await second.ended()).toEqual({
      code: 1,
      stdout: '',
      stderr: `mondo: Cannot listen at ${where}: there is a socket file; stop the server that listens there, or remove the file if none does\n`,
    });
  });
});
