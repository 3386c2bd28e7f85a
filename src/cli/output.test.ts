import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { makeFifo } from '../os/fifo.ts';
import { checkOutputs, writeOutput, writeOutputs } from './output.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

let file: string;
let tests = 0;
beforeEach(() => {
  const own = join(folder, String(tests++));
  mkdirSync(own);
  file = join(own, 'file');
});
const read = (path = file) => readFileSync(path, 'utf8');
const others = () => readdirSync(join(file, '..')).filter((name) => name !== 'file');

it('replaces the old file, and its readers continue to read the old one', () => {
  writeFileSync(file, 'old and longer');
  const reader = openSync(file, 'r');
  writeOutput(file, 'new');
  expect(read()).toBe('new');
  expect(readFileSync(reader, 'utf8')).toBe('old and longer');
  closeSync(reader);
  expect(others()).toEqual([]);
});

it('keeps the old file if there is no room for the new one', () => {
  writeFileSync(file, 'old');
  const script = `
    import { writeOutput } from ${JSON.stringify(import.meta.resolve('./output.ts'))};
    writeOutput(${JSON.stringify(file)}, 'x'.repeat(100_000));
  `;
  const limited = `trap '' XFSZ; ulimit -f 16; exec "$@"`;
  const words = [process.execPath, '--input-type=module', '-e', script];
  expect(() => execFileSync('sh', ['-c', limited, 'sh', ...words], { stdio: 'pipe' })).toThrow(
    /Cannot write ".*file": EFBIG/,
  );
  expect(read()).toBe('old');
  expect(others()).toEqual([]);
});

it('keeps the mode and the owner of the old one', () => {
  writeFileSync(file, 'old');
  chmodSync(file, 0o640);
  const { uid, gid } = statSync(file);
  writeOutput(file, 'new');
  const stats = statSync(file);
  expect([stats.mode & 0o7777, stats.uid, stats.gid]).toEqual([0o640, uid, gid]);
});

it('follows links, also to files that do not exist yet', () => {
  const link = join(file, '..', 'link');
  const chain = join(file, '..', 'chain');
  symlinkSync('file', link);
  symlinkSync(link, chain);
  writeOutput(chain, 'first');
  expect(read()).toBe('first');
  writeOutput(chain, 'second');
  expect(read()).toBe('second');
  expect(lstatSync(link).isSymbolicLink() && lstatSync(chain).isSymbolicLink()).toBe(true);
});

it('writes into a file with several names', () => {
  writeFileSync(file, 'old and longer');
  const other = join(file, '..', 'other');
  linkSync(file, other);
  writeOutput(file, 'new');
  expect(read(other)).toBe('new');
});

it('writes to devices and pipes, and does not replace them', async () => {
  writeOutput('/dev/null', 'new');
  expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  makeFifo(file, 0o600);
  checkOutputs([file]);
  const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  writeOutput(file, 'new');
  expect(readFileSync(reader, 'utf8')).toBe('new');
  closeSync(reader);
  expect(statSync(file).isFIFO()).toBe(true);
});

it('writes to a descriptor given as a path, at its current position', async () => {
  const script = `
    import { writeOutputs } from ${JSON.stringify(import.meta.resolve('./output.ts'))};
    process.stdout.write('first ');
    await writeOutputs([{ file: '/dev/stdout', text: () => 'second ' }, { file: '/dev/fd/3', text: () => 'third ' }]);
    process.stdout.write('last');
  `;
  const [out, third] = [openSync(file, 'w'), openSync(`${file}3`, 'w')];
  const node = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', out, 'inherit', third],
  });
  expect(await once(node, 'exit')).toEqual([0, null]);
  closeSync(out);
  closeSync(third);
  expect([read(), read(`${file}3`)]).toEqual(['first second last', 'third ']);
});

it('checks without changing a file, and refuses one file for two options', () => {
  checkOutputs([file, undefined, '/dev/null', '/dev/null']);
  expect(readdirSync(join(file, '..'))).toEqual([]);
  symlinkSync('file', `${file}2`);
  expect(() => checkOutputs([file, `${file}2`])).toThrow(/Cannot write ".*file2" twice/);
  expect(() => checkOutputs([join(file, 'none')])).toThrow(/Cannot write ".*none": ENOENT/);
  expect(() => checkOutputs([folder])).toThrow(/Cannot write .*: EISDIR/);
});

it('writes the files that it can, and reports the others', async () => {
  const fault = await writeOutputs([
    { file: join(file, 'none'), text: () => 'nowhere' },
    { file, text: () => 'whole' },
    { file: undefined, text: () => 'not asked for' },
  ]);
  expect(fault).toMatchObject({ message: expect.stringMatching(/none": ENOENT/) });
  expect(read()).toBe('whole');
});
