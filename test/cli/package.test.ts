import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Process } from '../support/processes.ts';

const root = join(import.meta.dirname, '../..');

describe('the package that npm pack makes, installed elsewhere', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mondo-package-'));
  const modules = join(folder, 'node_modules');
  const installed = join(modules, 'mondo');
  let packed: string[];

  beforeAll(() => {
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    // `prepack` builds first.
    execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: root, env, stdio: 'pipe' });
    const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    packed = execFileSync('tar', ['tzf', join(folder, tarball!)], { encoding: 'utf8' }).split('\n');
    mkdirSync(installed, { recursive: true });
    const unpack = ['xzf', join(folder, tarball!), '-C', installed, '--strip-components=1'];
    execFileSync('tar', unpack);
    // Its dependencies, as an install would place them beside it.
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
    }
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('holds built JavaScript with its types, and neither source nor tests', () => {
    expect(packed).toContain('package/dist/index.js');
    expect(packed).toContain('package/dist/index.d.ts');
    expect(packed).toContain('package/LICENSE');
    expect(packed.filter((name) => /\.test\.|package\/(src|test|bench)\//.test(name))).toEqual([]);
  });

  it.each([
    'single',
    'threaded',
    'queued',
    'epoll',
    'uring',
    'coroutine',
    'inetd',
  ])('serves as a command: %s', async (architecture) => {
    const command = join(installed, 'bin', 'mondo');
    const words = ['serve', architecture, '127.0.0.1', '-p', '0'];
    await using server = new Process(process.execPath, [command, ...words]);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    await using client = new Process(process.execPath, [
      ...[command, 'client', '127.0.0.1', '-p', port!],
      ...['--ask', 'Simple is better than?'],
    ]);
    expect((await client.ended()).stdout).toContain('Complex.');
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
  });

  it('serves as a library', async () => {
    writeFileSync(
      join(folder, 'program.mjs'),
      `import { connect, serve } from 'mondo';
       const server = await serve({ architecture: 'threaded', port: 0, threads: 2 });
       const client = await connect('127.0.0.1', server.address.port);
       console.log(await client.ask('Beautiful is better than?'));
       await client.close();
       await server.close();`,
    );
    await using program = new Process(process.execPath, [join(folder, 'program.mjs')]);
    const { stdout, stderr, code } = await program.ended();
    expect({ stdout, code }).toEqual({ stdout: 'Ugly.\n', code: 0 });
    if (process.geteuid?.() === 0)
      expect(stderr).toMatch(/\[MONDO_ROOT\] Warning: Serving as root/);
    else expect(stderr).toBe('');
  });
});
