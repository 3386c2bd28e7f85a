/**
 * Files that a command writes. Only a complete result replaces a file: it is written beside the old file and
 * renamed. So a failure before the end keeps the old file.
 */
import { randomUUID } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ServeError } from '../host/errors.ts';
import { CommandError } from './report.ts';

/** A file that an option names, and the function that makes its content. */
export interface Output {
  /** The path as the user wrote it; undefined if the option was not given. */
  readonly file: string | undefined;
  readonly text: () => string | Promise<string>;
}

/**
 * Call it before the run, which may be impossible to repeat. It changes nothing.
 *
 * @throws CommandError that quotes the file's name
 */
export function checkOutputs(files: readonly (string | undefined)[]): void {
  const taken = new Set<string>();
  for (const file of files) {
    if (file === undefined) continue;
    const target = orCannotWrite(file, () => checked(file));
    if (!('path' in target) || statOf(target.path)?.isFile() === false) continue;
    if (taken.has(target.path)) {
      throw new ServeError(
        'usage',
        `Cannot write "${file}" twice: two options name this file; give each a file of its own`,
      );
    }
    taken.add(target.path);
  }
}

/**
 * Writes each file, and returns the first fault. A full disk for one file must not lose the other files, or the
 * printed results.
 */
export async function writeOutputs(outputs: readonly Output[]): Promise<unknown> {
  let fault: unknown;
  for (const { file, text } of outputs) {
    if (file === undefined) continue;
    try {
      writeOutput(file, await text());
    } catch (error) {
      fault ??= error;
    }
  }
  return fault;
}

/**
 * Replaces the file's content completely, or does not change it. It follows links, and keeps the mode and the
 * owner. A file that is not a regular one (a pipe, a device, a descriptor of this process such as `/dev/stdout`) is
 * written in place.
 *
 * @throws CommandError that quotes the file's name
 */
export function writeOutput(file: string, text: string | Buffer): void {
  orCannotWrite(file, () => {
    const target = checked(file);
    if ('descriptor' in target) {
      writeFileSync(target.descriptor, text);
      return;
    }
    const { path } = target;
    const old = statOf(path);
    if (old === undefined) replace(path, text);
    else if (!old.isFile()) writeInto(openSync(path, 'w'), text);
    else if (old.nlink > 1 || !replace(path, text, old)) writeInPlace(path, text);
  });
}

/** True if it is done. False if the folder does not allow this file to be replaced. */
function replace(path: string, text: string | Buffer, old?: Stats): boolean {
  const beside = join(dirname(path), `.mondo-${randomUUID()}`);
  try {
    // Other users must not read it before it has the mode of the old file.
    writeFileSync(beside, text, { flag: 'wx', mode: old === undefined ? 0o666 : 0o600 });
    if (old !== undefined) {
      const { uid, gid } = statSync(beside);
      if (uid !== old.uid || gid !== old.gid) chownSync(beside, old.uid, old.gid);
      chmodSync(beside, old.mode & 0o7777);
    }
    renameSync(beside, path);
    return true;
  } catch (error) {
    rmSync(beside, { force: true });
    // Another owner, a folder of others, or a single mounted file: the file itself may still be writable.
    const { code = '' } = error as NodeJS.ErrnoException;
    if (old !== undefined && IN_PLACE.has(code)) return false;
    throw error;
  }
}

const IN_PLACE = new Set(['EPERM', 'EACCES', 'EBUSY', 'EROFS', 'EXDEV']);

function writeInPlace(path: string, text: string | Buffer): void {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  // Shorten the file only after all is written, so that a full disk keeps as much of the old content as possible.
  writeInto(openSync(path, 'r+'), bytes, (descriptor) => ftruncateSync(descriptor, bytes.length));
}

function writeInto(
  descriptor: number,
  content: string | Buffer,
  after: (descriptor: number) => void = () => {},
): void {
  try {
    writeFileSync(descriptor, content);
    after(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function checked(file: string): Target {
  const target = targetOf(file);
  if ('descriptor' in target) return target;
  const { path } = target;
  const stats = statOf(path);
  if (stats?.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
  // Opening a pipe without a reader here would block.
  const { W_OK, X_OK } = constants;
  if (stats === undefined) accessSync(dirname(path), W_OK | X_OK);
  else accessSync(path, W_OK);
  return target;
}

const statOf = (path: string) => statSync(path, { throwIfNoEntry: false });

type Target = { readonly path: string } | { readonly descriptor: number };

/** Number of links that the kernel follows before it gives up with ELOOP. */
const MOST_LINKS = 40;
const OWN_DESCRIPTORS = new RegExp(`^/proc/${process.pid}(/task/\\d+)?/fd$`);

/**
 * The target of writing to `file`. A descriptor of this process is not opened by its path. That would start the
 * file again, and a rename would replace the file that the shell or this process has open.
 */
function targetOf(file: string): Target {
  let path = resolve(file);
  for (let links = 0; links < MOST_LINKS; links++) {
    const folder = realpathSync(dirname(path));
    if (OWN_DESCRIPTORS.test(folder)) {
      const descriptor = Number(basename(path));
      fstatSync(descriptor);
      return { descriptor };
    }
    path = join(folder, basename(path));
    const link = linkAt(path);
    if (link === undefined) return { path };
    path = resolve(folder, link);
  }
  throw Object.assign(new Error('too many links'), { code: 'ELOOP' });
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EINVAL' || code === 'ENOENT') return undefined;
    throw error;
  }
}

function orCannotWrite<T>(file: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(
      `Cannot write "${file}": ${code ?? message}; name a file in a folder that you may write to`,
      { cause: error },
    );
  }
}
