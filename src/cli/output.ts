/**
 * Files that a command writes. A file is replaced only by a result: it is written beside the old one and renamed, so
 * whatever fails before leaves what was there.
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

/** A file that an option names, and what makes its content. */
export interface Output {
  /** As the user wrote it; undefined where the option was not given. */
  readonly file: string | undefined;
  readonly text: () => string | Promise<string>;
}

/**
 * Call it before the run that the files are for, which may not come again. It changes nothing.
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
 * Writes each file, and returns the first fault: a disk that is full for one must not lose the others, or what is
 * printed.
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
 * Replaces the file's content whole, or leaves it as it was. Links are followed, and the mode and owner stay. What is
 * no regular file (a pipe, a device, a descriptor of this process such as `/dev/stdout`) is written to.
 *
 * @throws CommandError that quotes the file's name
 */
export function writeOutput(file: string, text: string): void {
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

/** True if it is done; false where the folder does not let a file be put in place of this one. */
function replace(path: string, text: string, old?: Stats): boolean {
  const beside = join(dirname(path), `.mondo-${randomUUID()}`);
  try {
    // Others must not read it before it has the mode of the old one.
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
    // Not its owner, a folder of others, a single file that is mounted: the file itself may be written all the same.
    const { code = '' } = error as NodeJS.ErrnoException;
    if (old !== undefined && IN_PLACE.has(code)) return false;
    throw error;
  }
}

const IN_PLACE = new Set(['EPERM', 'EACCES', 'EBUSY', 'EROFS', 'EXDEV']);

function writeInPlace(path: string, text: string): void {
  const bytes = Buffer.from(text);
  // Shortened only when all is written, so that a full disk leaves as much of the old as it can.
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
  // A pipe without a reader would hold us up if it were opened here.
  const { W_OK, X_OK } = constants;
  if (stats === undefined) accessSync(dirname(path), W_OK | X_OK);
  else accessSync(path, W_OK);
  return target;
}

const statOf = (path: string) => statSync(path, { throwIfNoEntry: false });

type Target = { readonly path: string } | { readonly descriptor: number };

/** Links followed by the kernel before it gives up with ELOOP. */
const MOST_LINKS = 40;
const OWN_DESCRIPTORS = new RegExp(`^/proc/${process.pid}(/task/\\d+)?/fd$`);

/**
 * Where writing to `file` leads. A descriptor of this process is not opened by its path: that would begin the file
 * again, and a rename would take the place of the file that the shell, or we, have open.
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
