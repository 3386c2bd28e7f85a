/** The package as a release makes it: npm builds, packs and installs it. Its content: test/cli/package.test.ts. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyCheckout } from '../support/checkout.ts';
import { Process } from '../support/processes.ts';

const root = join(import.meta.dirname, '../..');
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };

describe('the package that npm pack builds, installed by npm', () => {
  const parent = mkdtempSync(join(tmpdir(), 'mondo-project-'));
  const project = join(parent, 'project');
  const command = join(project, 'node_modules', '.bin', 'mondo');
  const page = join(project, 'a.html');
  const link = (name: string) => {
    const path = join(project, 'node_modules', name);
    // A test that is made again has made it before.
    rmSync(path, { force: true });
    symlinkSync(join(root, 'node_modules', name), path);
  };
  afterAll(() => rmSync(parent, { recursive: true }));
  beforeAll(() => {
    const checkout = copyCheckout(join(parent, 'checkout'));
    // `prepare` builds first.
    const pack = ['pack', '--pack-destination', parent];
    execFileSync('npm', pack, { cwd: checkout, env, stdio: 'pipe' });
    const tarball = join(parent, readdirSync(parent).find((name) => name.endsWith('.tgz'))!);
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
    // What `npm ci` has loaded for this project comes from npm's own cache.
    const words = ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball];
    execFileSync('npm', words, { cwd: project, env, stdio: 'pipe' });
  }, 120_000);

  it('brings at most 40 MB, and no Node', () => {
    const modules = join(project, 'node_modules');
    const [kib] = execFileSync('du', ['-sk', modules], { encoding: 'utf8' }).split('\t');
    expect(Number(kib) / 1024).toBeLessThan(40);
    expect(readdirSync(modules)).not.toContain('node');
    expect(readdirSync(modules)).not.toContain('echarts');
  });

  it('has types that a strict program compiles against without naming types itself', () => {
    // A program in TypeScript has them, as docs/service.md says.
    link('@types');
    writeFileSync(
      join(project, 'program.ts'),
      `import { connect, eventText, runLoad, serve, type ServerEvent, type Service } from 'mondo';
       import zen from 'mondo/zen';
       const service: Service = { delimiter: '?', answer: (question: string) => question };
       const server = await serve({ architecture: 'callback', port: 0, service }, (event: ServerEvent) => {
         eventText(event);
       });
       const client = await connect('127.0.0.1', server.port);
       export const answer: string = await client.ask('How long?');
       export const all = [zen, runLoad] as const;`,
    );
    const options = ['--strict', '--noEmit', '--module', 'nodenext'];
    const compiler = join(root, 'node_modules', '.bin', 'tsc');
    const { stdout, status } = spawnSync(compiler, [...options, 'program.ts'], {
      cwd: project,
      encoding: 'utf8',
    });
    expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
  });

  it.each([
    ['load', '127.0.0.1', '-p', '1'],
    ['compare', '--quick'],
  ])('says before the run what a report needs: mondo %s', async (...words) => {
    await using report = new Process(process.execPath, [command, ...words, '--html', page]);
    const { code, stderr } = await report.ended();
    const why = 'the package that draws its charts is not installed; npm install echarts';
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `mondo: Cannot write "${page}": ${why}\n`,
    });
  });

  it('writes a page with charts once echarts is there', async () => {
    link('echarts');
    await using server = new Process(process.execPath, [command, 'serve', 'epoll', '-p', '0']);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const words = ['load', '127.0.0.1', '-p', port!, '--duration', '1s', '--html', page];
    await using load = new Process(process.execPath, [command, ...words]);
    await load.ended();
    expect(readFileSync(page, 'utf8')).toContain('<svg');
  });
});
