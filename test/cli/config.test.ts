/** Configurations of `mondo serve`: files, variables, and the options in effect. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { documented } from '../support/deploy-page.ts';
import { runMondo } from '../support/processes.ts';
import { loadProgram } from '../support/program.ts';
import { wordsOf } from '../support/shell-words.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileOf(text: string, ending = 'toml'): string {
  const file = join(folder, `${files++}.${ending}`);
  writeFileSync(file, text);
  return file;
}

let program: Command;
beforeAll(async () => {
  program = await loadProgram();
});
afterEach(() => vi.unstubAllEnvs());

/** What `mondo config` with these words prints on standard output and standard error, in this process. */
async function config(...words: string[]): Promise<{ out: string; err: string }> {
  const streams = { out: '', err: '' };
  const log = vi.spyOn(console, 'log').mockImplementation((text) => (streams.out += `${text}\n`));
  const error = vi.spyOn(console, 'error').mockImplementation((text) => (streams.err += text));
  try {
    await program.parseAsync(['config', ...words], { from: 'user' });
    return streams;
  } finally {
    log.mockRestore();
    error.mockRestore();
  }
}

const good = `
architecture = "epoll"
host = "127.0.0.1"
port = 0
threads = 2
drain = "30s"
dry-run = true
think-how = "defer"
proxy-protocol = true
trusted = ["10.0.0.0/8"]

[limit]
idle = "5s"
connections = 100
allow = ["127.0.0.0/8", "::1/128"]
deny = []
`;

describe('mondo config --check', () => {
  it('accepts TOML and JSON', async () => {
    const limit = { idle: '5s', allow: ['127.0.0.0/8', '::1/128'] };
    const json = { $schema: 'mondo.schema.json', threads: 2, drain: '30s', limit };
    for (const file of [fileOf(good), fileOf(''), fileOf(JSON.stringify(json), 'json')]) {
      expect(await config('--check', file)).toEqual({ out: `${file} is valid\n`, err: '' });
    }
  });

  it.each([
    ['thread = 2', 'there is no key "thread"; do you mean "threads"?'],
    ['maxThreads = 2', 'there is no key "maxThreads"; do you mean "max-threads"?'],
    ['[limit]\nidel = "5s"', 'there is no key "limit.idel"; do you mean "idle"?'],
    ['[limits]\nidle = "5s"', 'there is no key "limits"; do you mean "limit"?'],
    [
      'zzz = 2',
      /^: there is no key "zzz"; there are \$schema, architecture, host, port, threads, .*$/,
    ],
    [
      '[limit]\nzzz = 2',
      /^: there is no key "limit\.zzz"; there are connections, .*, allow, deny$/,
    ],
    ['__proto__ = 1', /^: there is no key "__proto__"; there are /],
    ['config = "x"', /^: there is no key "config"; there are /],
    ['threads = "two"', 'cannot use "two" as "threads": give a whole number from 0'],
    ['threads = 1.5', 'cannot use 1.5 as "threads": give a whole number from 0'],
    ['threads = nan', 'cannot use NaN as "threads": give a whole number from 0'],
    ['threads = -1', 'cannot use -1 as "threads": give a whole number from 0'],
    ['threads = 0', 'cannot use 0 as the number of threads: give a whole number from 1 to 400'],
    ['reuseport = "yes"', 'cannot use "yes" as "reuseport": give true or false'],
    ['think-how = "later"', 'cannot use "later" as "think-how": give "block", "defer"'],
    ['log = 1', 'cannot use 1 as "log": give "text", "json", "none"'],
    [
      'architecture = "epol"',
      /^: cannot use "epol" as "architecture": give "fastest", "single", .*"inetd"$/,
    ],
    ['host = 1', 'cannot use 1 as "host": give a text in quotation marks'],
    ['drain = "soon"', 'cannot use "soon" as "drain": give a time such as 500ms, 10s or 0'],
    [
      'drain = true',
      'cannot use true as "drain": give a text in quotation marks or a whole number from 0',
    ],
    [
      'drain = 1979-05-27',
      'cannot use "1979-05-27" as "drain": give a text in quotation marks or a whole number from 0',
    ],
    ['drain = "2000m"', /^: cannot use 120000000 as a drain in ms: give a whole number from 0 to /],
    ['port = 65536', 'cannot use "65536" as "port": give a port from 0 to 65535'],
    ['trusted = [1]', 'cannot use 1 as "trusted.0": give a text in quotation marks'],
    ['trusted = "10.0.0.0/8"', 'cannot use --trusted alone: it goes with --proxy-protocol'],
    ['when-full = "never"', /^: cannot use "never" as policy for a full server: give wait, busy, /],
    ['architecture = "epoll"\nqueue = 3', 'cannot use queue with epoll: it is for queued'],
    ['architecture = "single"\nthreads = 2', /^: cannot serve single with 2 threads: /],
    ['limit = "idle=5s"', 'cannot use "idle=5s" as "limit": give a table'],
    ['[limit]\nidle = 5', 'cannot use 5 as "limit.idle": give a text in quotation marks'],
    [
      '[limit]\nidle = "5"',
      'cannot use "5" as limit idle: give a time such as 500ms, 10s or 2m, or off',
    ],
    [
      '[limit]\nconnections = 0',
      'cannot use 0 as "limit.connections": give a text in quotation marks or a whole number from 1',
    ],
    ['[limit]\nallow = ["x"]', /^: cannot read network "x": give an address /],
    ['threads = ', ':1:11: this is not TOML: invalid value'],
    [
      'a = 1\na = 2',
      ':2:1: this is not TOML: trying to redefine an already defined table or value',
    ],
  ])('refuses %j', async (text, says) => {
    const file = fileOf(text);
    const { message, kind } = await config('--check', file).then(
      () => ({ message: 'none', kind: '' }),
      (error) => error,
    );
    expect(kind).toBe('usage');
    expect(message.slice(0, file.length)).toBe(file);
    const rest = message.slice(file.length);
    if (typeof says === 'string') expect(rest).toBe(says.startsWith(':') ? says : `: ${says}`);
    else expect(rest).toMatch(says);
  });

  it.each([
    ['[]', ': cannot use [] as the configuration: give a table'],
    ['{ "threads": 2, }', ':1:17: this is not JSON'],
    ['{\n  "threads": 2,\n  threads: 3 }', ':3:3: this is not JSON'],
    ['{ "threads": 2', ':1:15: this is not JSON'],
    ['', ':1:1: this is not JSON'],
  ])('refuses the JSON %j', async (text, says) => {
    const file = fileOf(text, 'json');
    await expect(config('--check', file)).rejects.toThrow(`${file}${says}`);
  });

  it('refuses a file that it cannot read, and a request for nothing', async () => {
    const file = join(folder, 'missing.toml');
    await expect(config('--check', file)).rejects.toThrow(`${file}: cannot read it: ENOENT; `);
    await expect(config()).rejects.toThrow('give one of --check, --show, --schema');
    await expect(config('--check', file, '--config', file)).rejects.toThrow(
      '--config with --check',
    );
  });

  it('ends with 2 and one line', async () => {
    const file = fileOf('thread = 2');
    const stderr = `mondo: ${file}: there is no key "thread"; do you mean "threads"?\n`;
    expect(await runMondo('config', '--check', file)).toEqual({ code: 2, stdout: '', stderr });
    expect(await runMondo('serve', '--config', file)).toEqual({ code: 2, stdout: '', stderr });
  });
});

/** What `--show` has printed, by key: the value as TOML writes it, and its origin. */
function rowsIn(shown: string): Map<string, readonly [value: string, origin: string]> {
  const [options = '', limits = ''] = shown.split('\n[limit]\n');
  const rows = (text: string, prefix: string) =>
    [...text.matchAll(/^([\w-]+) = (.*?) +# (.*)$/gm)].map(
      ([, key, value, origin]) => [`${prefix}${key}`, [value!, origin!]] as const,
    );
  return new Map([...rows(options, ''), ...rows(limits, 'limit.')]);
}

describe('the options in effect', () => {
  it('come from the command line, then the variables, then the file, then the defaults', async () => {
    vi.stubEnv('MONDO_DRAIN', '20s');
    vi.stubEnv('MONDO_THREADS', '3');
    vi.stubEnv('MONDO_DRY_RUN', 'false');
    vi.stubEnv('MONDO_LIMIT', 'idle=4s,age=1m,deny=10.0.0.0/8,10.1.0.0/16');
    vi.stubEnv('MONDO_PORT', 'tcp://10.0.0.1:1060');
    const file = fileOf(good);
    const words = ['--show', '--config', file, '--threads', '4', '--limit', 'idle=3s'];
    const { out, err } = await config(...words);
    expect(err).toContain('Ignored MONDO_PORT=tcp://10.0.0.1:1060: it is the address of a Service');
    const expected = {
      architecture: ['"epoll"', file],
      port: ['0', file],
      threads: ['4', 'command line'],
      drain: ['20000', 'MONDO_DRAIN'],
      'dry-run': ['false', 'MONDO_DRY_RUN'],
      'think-how': ['"defer"', file],
      processes: ['1', 'default'],
      'limit.idle': ['"3s"', 'command line'],
      'limit.age': ['"1m"', 'MONDO_LIMIT'],
      'limit.deny': ['[ "10.0.0.0/8", "10.1.0.0/16" ]', 'MONDO_LIMIT'],
      'limit.connections': ['"100"', file],
      'limit.allow': ['[ "127.0.0.0/8", "::1/128" ]', file],
      'limit.question-time': ['"10s"', 'default'],
    };
    expect(Object.fromEntries(rowsIn(out))).toMatchObject(expected);
  });

  it('name the command line for an architecture that is given there', async () => {
    vi.stubEnv('MONDO_ARCHITECTURE', 'single');
    const file = fileOf(good);
    const shown = async (...words: string[]) => rowsIn((await config(...words, '--show')).out);
    expect((await shown('poll', '--config', file)).get('architecture')?.[1]).toBe('command line');
    expect((await shown()).get('architecture')).toEqual(['"single"', 'MONDO_ARCHITECTURE']);
  });

  it.each([
    ['a file', ['--config', '']],
    ['no file', []],
    ['options', ['socketserver', '--mixin', 'forking', '--max-threads', '9', '--limit', 'age=off']],
  ])('are the same with what --show prints as the file: from %s', async (_, given) => {
    const words = given.map((word) => (word === '' ? fileOf(good) : word));
    const first = (await config(...words, '--show')).out;
    const file = fileOf(first);
    const second = rowsIn((await config('--show', '--config', file)).out);
    expect(first.length).toBeGreaterThan(100);
    expect(new Map([...second].map(([key, [value]]) => [key, value]))).toEqual(
      new Map([...rowsIn(first)].map(([key, [value]]) => [key, value])),
    );
    expect(new Set([...second.values()].map(([, origin]) => origin))).toEqual(new Set([file]));
  });

  it('are checked in variables too', async () => {
    vi.stubEnv('MONDO_THREADS', 'two');
    const says = 'Cannot use "two" as MONDO_THREADS: give a whole number';
    await expect(config('--show')).rejects.toThrow(says);
    vi.stubEnv('MONDO_THREADS', '2');
    vi.stubEnv('MONDO_DRY_RUN', 'maybe');
    await expect(config('--show')).rejects.toThrow('as MONDO_DRY_RUN: give true or false');
    vi.stubEnv('MONDO_DRY_RUN', '');
    vi.stubEnv('MONDO_LIMIT', 'idle');
    await expect(config('--show')).rejects.toThrow('MONDO_LIMIT: cannot read limit "idle"');
  });

  it('are checked in a file although the command line overrides them', async () => {
    const file = fileOf('drain = "soon"');
    await expect(config('--show', '--config', file, '--drain', '1s')).rejects.toThrow('"soon"');
  });
});

it('takes the file of the documentation', async () => {
  const text = documented('#:schema');
  expect(text).toContain('[limit]');
  const file = fileOf(text);
  expect((await config('--check', file)).out).toBe(`${file} is valid\n`);

  // The document shows the first lines of the output.
  const shown = documented('architecture = "poll"');
  const [, , , ...words] = wordsOf(documented('npx mondo config poll --show'));
  const { out } = await config(...words.map((word) => (word === 'mondo.toml' ? file : word)));
  expect(out.replaceAll(file, 'mondo.toml').slice(0, shown.length)).toBe(shown);
});

describe('the schema', () => {
  it('has each option of mondo serve, and is the file that editors use', async () => {
    const schema = JSON.parse((await config('--schema')).out);
    const serve = program.commands.find((command) => command.name() === 'serve')!;
    const options = serve.options.map(({ long }) => long!.slice(2));
    expect(options.length).toBeGreaterThan(25);
    const keys = ['$schema', 'architecture', 'host', ...options.filter((key) => key !== 'config')];
    expect(Object.keys(schema.properties)).toEqual(keys);
    const shipped = join(import.meta.dirname, '..', '..', 'docs', 'mondo.schema.json');
    expect(JSON.parse(readFileSync(shipped, 'utf8'))).toEqual(schema);
  });
});
