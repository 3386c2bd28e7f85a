import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { ODD_NAME, Process } from '../support/processes.ts';

const root = join(import.meta.dirname, '../..');
const documents = ['ARCHITECTURE.md', 'CHANGELOG.md', 'README.md'];

it('allows the install scripts that its dependencies have, so that npm ci does not warn of them', () => {
  const json = (name: string) => JSON.parse(readFileSync(join(root, name), 'utf8'));
  const installed: Record<string, { hasInstallScript?: boolean; optional?: boolean }> =
    json('package-lock.json').packages;
  const names = Object.entries(installed)
    .filter(([, { hasInstallScript, optional }]) => hasInstallScript && !optional)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
  expect(Object.keys(json('package.json').allowScripts)).toEqual(names.toSorted());
});

describe('the package that npm pack makes, installed elsewhere', () => {
  const folder = mkdtempSync(join(tmpdir(), ODD_NAME.replace('\n', '')));
  const modules = join(folder, 'node_modules');
  const installed = join(modules, 'mondo');
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  let tarball: string;
  let packed: string[];
  let size: number;

  beforeAll(() => {
    // What npm packs after the build that all tests use; test/long/package.test.ts packs as a release does.
    const whole = join(folder, 'whole');
    for (const name of ['bin', 'src', 'deploy', 'docs', 'package.json', 'LICENSE', ...documents]) {
      const isMade = (path: string) => path === join(root, 'docs', 'api');
      cpSync(join(root, name), join(whole, name), {
        recursive: true,
        filter: (path) => !isMade(path),
      });
    }
    cpSync(join(process.env.MONDO_TEST_BUILT!, 'dist'), join(whole, 'dist'), { recursive: true });
    const words = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
    const [about] = JSON.parse(execFileSync('npm', words, { cwd: whole, env, encoding: 'utf8' }));
    size = about.size;
    tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz'))!);
    rmSync(whole, { recursive: true });
    packed = execFileSync('tar', ['tzf', tarball], { encoding: 'utf8' }).split('\n');
    mkdirSync(installed, { recursive: true });
    const unpack = ['xzf', tarball, '-C', installed, '--strip-components=1'];
    execFileSync('tar', unpack);
    // Its dependencies, in the place where an install would put them.
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
    }
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has less than 1.5 MB, with the recordings of the lab and without pictures', () => {
    expect(size).toBeLessThan(1.5e6);
    expect(statSync(tarball).size).toBeLessThan(1.5e6);
    const recordings = readdirSync(join(root, 'docs', 'lab')).filter((name) =>
      /mondolab$/.test(name),
    );
    expect(recordings).not.toEqual([]);
    for (const name of recordings) expect(packed).toContain(`package/docs/lab/${name}`);
    expect(packed.filter((name) => /\.(png|gif|html|map)$|docs\/api/.test(name))).toEqual([]);
  });

  it('holds built JavaScript with its types, and neither source nor tests', () => {
    expect(packed).toContain('package/dist/index.js');
    expect(packed).toContain('package/dist/index.d.ts');
    expect(packed).toContain('package/LICENSE');
    expect(packed.filter((name) => /\.test\.|package\/(src|test|bench)\//.test(name))).toEqual([]);
  });

  // With threads, with Node's loop, and with processes for clients: each has a file of its own to start with.
  it.each(['threaded', 'coroutine', 'inetd'])('serves as a command: %s', async (architecture) => {
    const command = join(installed, 'bin', 'mondo');
    const words = ['serve', architecture, '127.0.0.1', '-p', '0'];
    await using server = new Process(process.execPath, [command, ...words]);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    const client = await NetClient.connect(address);
    expect(await ask(client, 'Simple is better than?', 8)).toBe('Complex.');
    await client.close();
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

  it('starts workers from few files, and loads no module of Node that they do not need', async () => {
    const service = join(folder, 'loaded.mjs');
    writeFileSync(
      service,
      `const heavy = ['child_process', 'worker_threads', 'net', 'crypto', 'stream', 'module'];
       const names = () => process.moduleLoadList.map((name) => name.replace('NativeModule ', ''));
       const loaded = () => names().filter((name) => heavy.includes(name)).join(' ');
       export default {
         delimiter: '?',
         answer: () => process.argv[1].split('/dist/')[1] + ' ' + loaded() + '.',
       };`,
    );
    const words = ['serve', 'epoll', '127.0.0.1', '-p', '0', '--service', service];
    await using server = new Process(process.execPath, [join(installed, 'bin', 'mondo'), ...words]);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const client = await NetClient.connect({
      family: 'IPv4',
      host: '127.0.0.1',
      port: Number(port),
    });
    expect(await ask(client, 'What?', 19)).toBe('bundled/worker.js .');
    await client.close();
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
  });

  it('traces the lines of a page, and asks as a command', async () => {
    const command = join(installed, 'bin', 'mondo');
    const words = ['trace', 'single', '127.0.0.1', '-p', '0'];
    await using traced = new Process(process.execPath, [command, ...words]);
    const [, port] = await traced.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const question = ['--ask', 'Simple is better than?'];
    await using client = new Process(process.execPath, [
      ...[command, 'client', '127.0.0.1', '-p', port!],
      ...question,
    ]);
    expect((await client.ended()).stdout).toContain('Complex.');
    await traced.printed(/blocking\.js\(\d+\)/);
    traced.child.kill('SIGINT');
    expect((await traced.ended()).code).toBe(0);
  });

  it('prints its version without loading the rest of the command, unless it cannot be written', async () => {
    const command = join(installed, 'bin', 'mondo');
    await using version = new Process(process.execPath, [command, '--version']);
    const { stdout } = await version.ended();
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    await using broken = new Process('sh', [
      '-c',
      '"$0" "$1" --version >/dev/full',
      process.execPath,
      command,
    ]);
    const { code, stderr } = await broken.ended();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^mondo: Cannot write to standard output: .*\n$/);
  });

  describe('bundled into a program', () => {
    const entry = join(folder, 'bundle-me.mjs');
    beforeAll(() =>
      writeFileSync(
        entry,
        `import { serve } from 'mondo';
         const services = { callback: { delimiter: '?', answer: (question) => question } };
         const architecture = process.argv[2];
         const server = await serve({ architecture, port: 0, service: services[architecture] })
           .catch((error) => console.log(error.message));
         console.log(server?.architecture);
         await server?.close();`,
      ),
    );

    it('serves an object, and says in one line that it cannot start workers', async () => {
      const file = join(folder, 'bundle', 'program.mjs');
      const made = await rolldown({ input: entry, platform: 'node', checks: { eval: false } });
      await made.write({ file, format: 'esm', codeSplitting: false });
      await using alone = new Process(process.execPath, [file, 'callback']);
      expect((await alone.ended()).stdout).toBe('callback\n');
      await using workers = new Process(process.execPath, [file, 'epoll']);
      expect((await workers.ended()).stdout).toMatch(
        /^Cannot start a worker: ".*" is not there; leave mondo out of your bundle .*\nundefined\n$/,
      );
    });

    it('reports in CommonJS, when it is loaded, that it must not be bundled', async () => {
      const file = join(folder, 'bundle', 'program.cjs');
      const program = join(folder, 'in-commonjs.mjs');
      writeFileSync(program, `import { serve } from 'mondo'; console.log(serve);`);
      const made = await rolldown({
        input: program,
        platform: 'node',
        checks: { eval: false },
        // As esbuild has it; rolldown would make something of it.
        transform: { define: { 'import.meta': '{}' } },
      });
      await made.write({ file, format: 'cjs', codeSplitting: false });
      await using loaded = new Process(process.execPath, [file]);
      expect((await loaded.ended()).stderr).toContain(
        'Error: Cannot load mondo from a bundle in CommonJS; leave it out of your bundle',
      );
    });
  });
});

describe('a folder that was not built', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mondo-unbuilt-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeAll(() => {
    for (const name of ['bin', 'tools', 'package.json'])
      cpSync(join(root, name), join(folder, name), { recursive: true });
  });
  const prepare = (from: string) =>
    spawnSync(process.execPath, [join(folder, 'tools', 'prepare.cjs')], {
      env: { ...process.env, INIT_CWD: from },
      encoding: 'utf8',
    });

  it('becomes no package of another project, and names the fix', () => {
    const { status, stderr } = prepare(tmpdir());
    expect(status).toBe(1);
    expect(stderr).toMatch(/^mondo: Cannot build the package in .*; run npm ci there, .*\n$/);
  });

  it('may lack its build tools if it is used itself', () => {
    expect(prepare(folder)).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it('is built when npm packs it', () => {
    const project = mkdtempSync(join(tmpdir(), 'mondo-unpacked-'));
    try {
      mkdirSync(join(project, 'tools'));
      cpSync(join(root, 'tools', 'prepare.cjs'), join(project, 'tools', 'prepare.cjs'));
      for (const name of ['typescript', 'rolldown'])
        mkdirSync(join(project, 'node_modules', name), { recursive: true });
      const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
      const build = 'mkdir dist && touch dist/made.js';
      const scripts = { prepare: own.scripts.prepare, build };
      const { name, version, files } = own;
      writeFileSync(
        join(project, 'package.json'),
        JSON.stringify({ name, version, files, scripts }),
      );
      const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
      execFileSync('npm', ['pack'], { cwd: project, env, stdio: 'pipe' });
      const made = readdirSync(project).find((file) => file.endsWith('.tgz'))!;
      const packed = execFileSync('tar', ['tzf', join(project, made)], { encoding: 'utf8' });
      expect(packed.split('\n')).toContain('package/dist/made.js');
    } finally {
      rmSync(project, { recursive: true });
    }
  });

  it('says so as a command', async () => {
    await using command = new Process(process.execPath, [join(folder, 'bin', 'mondo'), 'serve']);
    const { code, stderr } = await command.ended();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^mondo: Cannot start: .* is not there, .*; run npm ci .*\n$/);
  });
});
