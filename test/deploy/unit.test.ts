/** `mondo unit`, and what systemd says of its files. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commands } from '../support/commands.ts';
import { mondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-units-'));
afterAll(() => rmSync(folder, { recursive: true }));

const command = commands();

const linesOf = async (...args: string[]) => {
  const { code, stdout, stderr } = await command.run('unit', ...args);
  expect(code, stderr).toBe(0);
  return stdout.split('\n');
};
const having = (lines: readonly string[], ...names: string[]) =>
  lines.filter((line) => names.includes(line.split('=', 1)[0]!));

const COMMAND = `ExecStart=${process.execPath} ${mondo} serve`;

describe('mondo unit', () => {
  it('gives the address to the socket, and the rest to the server', async () => {
    const lines = await linesOf(
      ...[
        'epoll',
        '0.0.0.0',
        '-p',
        '80',
        '--backlog',
        '99',
        '--threads',
        '2',
        '--drain',
        '30s',
        '--lame-duck',
        '2s',
      ],
      ...[
        '--limit',
        'idle=5s',
        '--limit',
        'age=1m',
        '--dry-run',
        '--user',
        'www',
        '--group',
        'web',
      ],
    );
    expect(having(lines, 'ListenStream', 'Backlog', 'Accept', 'FileDescriptorName')).toEqual([
      ...['ListenStream=0.0.0.0:80', 'Backlog=99', 'Accept=no', 'FileDescriptorName=mondo'],
    ]);
    expect(having(lines, 'ExecStart', 'TimeoutStopSec', 'User', 'Group', 'DynamicUser')).toEqual([
      `${COMMAND} epoll --threads 2 --limit idle=5s --limit age=1m --dry-run --drain 30000 --lame-duck 2000`,
      ...['TimeoutStopSec=37', 'User=www', 'Group=web'],
    ]);
  });

  it('knows each option of mondo serve', async () => {
    const optionsOf = async (name: string) => {
      const { stdout } = await command.run(name, '--help');
      return [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option!);
    };
    const [served, known] = [await optionsOf('serve'), await optionsOf('unit')];
    expect(served.length).toBeGreaterThan(15);
    expect(served.filter((option) => !known.includes(option))).toEqual([]);
    const lines = await linesOf('poll', '--proxy-protocol', '--trusted', '10.0.0.0/8');
    expect(having(lines, 'ExecStart')).toEqual([
      `${COMMAND} poll --proxy-protocol --trusted 10.0.0.0/8`,
    ]);
  });

  it('passes the whole path of a configuration, and takes nothing from it that the units have', async () => {
    const file = join(folder, 'mondo.toml');
    writeFileSync(file, 'architecture = "threaded"\nthreads = 3\ndrain = "30s"\n');
    const lines = await linesOf(
      '--config',
      relative(process.cwd(), file),
      '-p',
      '80',
      '--drain',
      '20s',
    );
    expect(having(lines, 'ExecStart', 'ListenStream', 'TimeoutStopSec')).toEqual([
      'ListenStream=127.0.0.1:80',
      `${COMMAND} --drain 20000 --config ${file}`,
      'TimeoutStopSec=25',
    ]);
    expect(lines).toContain('Description=Mondo (threaded)');
    writeFileSync(file, 'port = 80\n');
    const { code, stderr } = await command.run('unit', '--config', file);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `mondo: Cannot use "port" of ${file} in a unit: systemd needs it; give it on the command line, and not in the file\n`,
    );
  });

  it('opens one listener for each worker with --reuseport', async () => {
    const lines = await linesOf('epoll', '--threads', '2', '--processes', '2', '--reuseport');
    const stream = 'ListenStream=127.0.0.1:1060';
    expect(having(lines, 'ListenStream', 'ReusePort')).toEqual([
      ...[stream, stream, stream, stream, 'ReusePort=yes'],
    ]);
  });

  it.each([
    [
      ['', '-p', '7'],
      ['ListenStream=[::]:7', 'NoDelay=yes'],
    ],
    [
      ['::1', '-p', '7'],
      ['ListenStream=[::1]:7', 'NoDelay=yes'],
    ],
    [['10.1.2.3'], ['ListenStream=10.1.2.3:1060', 'NoDelay=yes', 'FreeBind=yes']],
    [['unix:/run/mondo/50%'], ['ListenStream=/run/mondo/50%%']],
  ])('listens at %j', async (args, expected) => {
    const lines = await linesOf('poll', ...args);
    expect(having(lines, 'ListenStream', 'NoDelay', 'FreeBind')).toEqual(expected);
  });

  it('quotes words for systemd', async () => {
    const lines = await linesOf('poll', '--service', `${folder}/a "b" $c %d\\e.mjs`);
    expect(having(lines, 'ExecStart')).toEqual([
      `${COMMAND} poll --service "${folder}/a \\"b\\" $$c %%d\\\\e.mjs"`,
    ]);
  });

  it('has a process for each connection of inetd', async () => {
    const lines = await linesOf('inetd', '--per-connection');
    expect(lines).toContain('# /etc/systemd/system/mondo@.service');
    expect(having(lines, 'Accept', 'MaxConnections', 'FileDescriptorName', 'Type')).toEqual([
      ...['Accept=yes', 'MaxConnections=64'],
    ]);
    expect(having(lines, 'ExecStart')).toEqual([`${COMMAND} inetd`]);
  });

  it.each([
    [['epoll', '--per-connection'], 'Cannot use --per-connection with epoll'],
    [['epoll', '-p', '0'], 'Cannot use port 0 in a unit'],
    [['epoll', '--name', 'a/b'], 'Cannot use "a/b" as the name of a unit'],
    [['epol'], 'There is no architecture "epol"'],
    [['epoll', '--queue', '3'], 'Cannot use queue with epoll'],
  ])('refuses %j', async (args, message) => {
    const { code, stdout, stderr } = await command.run('unit', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });
});

describe.runIf(hasProgram('systemd-analyze', 'systemd'))('systemd-analyze', () => {
  const analyze = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    return { status, stdout, stderr };
  };

  it.each([
    { name: 'fast', args: [] },
    { name: 'crew', args: ['socketserver', '', '--max-threads', '100'] },
    { name: 'many', args: ['epoll', '::', '--threads', '2', '--reuseport'] },
    { name: 'path', args: ['callback', 'unix:/run/mondo.socket', '--user', 'daemon'] },
    { name: 'each', args: ['inetd', '--per-connection'] },
  ])('finds the units of $args clean and safe', async ({ name, args }) => {
    const { code, stdout } = await command.run('unit', ...args, '--name', name, '--write', folder);
    const files = readdirSync(folder).filter((file) => file.startsWith(name));
    const paths = files.map((file) => join(folder, file)).sort();
    expect(code).toBe(0);
    expect(stdout.split('\n').slice(0, 2).sort()).toEqual(paths);
    expect(analyze('verify', ...paths)).toEqual({ status: 0, stdout: '', stderr: '' });
    const [service] = paths.filter((path) => path.endsWith('.service'));
    const { status } = analyze('security', '--offline=true', '--threshold=15', service!);
    expect(status, readFileSync(service!, 'utf8')).toBe(0);
  });
});
