/** Cached compiled code is executed, so it is only used from a folder that no other user can have written to. */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { NetClient } from '../support/clients.ts';
import { checkout, Process } from '../support/processes.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const home = realpathSync(mkdtempSync(join(tmpdir(), 'mondo-cache-')));
const { compileCacheFolder } = createRequire(import.meta.url)('../../bin/compile-cache.js') as {
  compileCacheFolder(): string | undefined;
};

let made = 0;
function folder(mode = 0o700, owner?: number): string {
  const path = join(home, String(made++));
  mkdirSync(path);
  chmodSync(path, mode);
  if (owner !== undefined) chownSync(path, owner, owner);
  return path;
}

const { HOME, XDG_CACHE_HOME } = process.env;
function chosen(env: { readonly HOME?: string; readonly XDG_CACHE_HOME?: string }) {
  delete process.env.XDG_CACHE_HOME;
  Object.assign(process.env, env);
  return compileCacheFolder();
}
afterEach(() => {
  process.env.HOME = HOME;
  if (XDG_CACHE_HOME === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = XDG_CACHE_HOME;
});
afterAll(() => rmSync(home, { recursive: true }));

describe('the cache of compiled code is', () => {
  it('below XDG_CACHE_HOME, or else in .cache at home, for this user alone', () => {
    const caches = folder();
    expect(chosen({ XDG_CACHE_HOME: caches })).toBe(join(caches, 'mondo'));
    expect(lstatSync(join(caches, 'mondo')).mode & 0o777).toBe(0o700);
    const atHome = folder();
    expect(chosen({ HOME: atHome })).toBe(join(atHome, '.cache', 'mondo'));
    expect(chosen({ HOME: atHome, XDG_CACHE_HOME: 'relative' })).toBe(
      join(atHome, '.cache', 'mondo'),
    );
  });

  it('at the target of a link of this user, by the path without links', () => {
    const caches = folder();
    const link = join(home, 'link');
    symlinkSync(caches, link);
    expect(chosen({ XDG_CACHE_HOME: link })).toBe(join(caches, 'mondo'));
  });

  it('nowhere if others may write to a folder on the way', () => {
    const open = folder(0o777);
    const inside = join(open, 'inside');
    mkdirSync(inside, 0o700);
    for (const caches of [open, inside, folder(0o770)])
      expect(chosen({ XDG_CACHE_HOME: caches })).toBeUndefined();
    const caches = folder();
    mkdirSync(join(caches, 'mondo'));
    // Sticky: other users cannot remove files, but can add some.
    for (const mode of [0o777, 0o1777, 0o720]) {
      chmodSync(join(caches, 'mondo'), mode);
      expect(chosen({ XDG_CACHE_HOME: caches })).toBeUndefined();
    }
  });

  it('nowhere if there is no home, and none is made', () => {
    const absent = join(home, 'absent');
    expect(chosen({ HOME: absent })).toBeUndefined();
    expect(readdirSync(home)).not.toContain('absent');
  });

  it.runIf(isRoot)('nowhere if a folder on the way is another user’s', () => {
    const theirs = folder(0o700, NOBODY);
    const inside = join(theirs, 'inside');
    mkdirSync(inside, 0o700);
    const link = join(home, 'link to theirs');
    symlinkSync(theirs, link);
    const caches = folder();
    mkdirSync(join(caches, 'mondo'), 0o700);
    chownSync(join(caches, 'mondo'), NOBODY, NOBODY);
    for (const forged of [theirs, inside, link, caches])
      expect(chosen({ XDG_CACHE_HOME: forged })).toBeUndefined();
    expect(readdirSync(theirs)).toEqual(['inside']);
    expect(readdirSync(join(caches, 'mondo'))).toEqual([]);
  });
});

describe.concurrent('workers use compiled code', () => {
  /** Answers with the folder of its process's cache. */
  const service = join(home, 'where.mjs');
  writeFileSync(
    service,
    `import { getCompileCacheDir } from 'node:module';
     export default { delimiter: '?', answer: () => (getCompileCacheDir() ?? 'nowhere') + '.' };`,
  );
  chmodSync(home, 0o755);

  async function where(environment: readonly string[], ...options: string[]): Promise<string> {
    const clean = ['-u', 'NODE_COMPILE_CACHE', '-u', 'NODE_DISABLE_COMPILE_CACHE'];
    const words = ['serve', 'epoll', '127.0.0.1', '-p', '0', '--service', service, ...options];
    const all = [...clean, ...environment, process.execPath, checkout, ...words];
    await using server = new Process('env', all);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    const client = await NetClient.connect(address);
    await client.send('Where?');
    await client.end();
    const answer = (await client.rest()).replace(/\.$/, '');
    await client.close();
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
    return answer;
  }

  it('from the checked folder', async () => {
    const caches = folder();
    expect(await where([`XDG_CACHE_HOME=${caches}`])).toContain(join(caches, 'mondo'));
  });

  it.runIf(isRoot)(
    'from no folder that another user has prepared, here or in the temporary folder',
    async () => {
      const [caches, temporary] = [folder(0o755, NOBODY), folder(0o755, NOBODY)];
      const prepared = join(temporary, 'node-compile-cache');
      mkdirSync(prepared);
      chownSync(prepared, NOBODY, NOBODY);
      expect(await where([`XDG_CACHE_HOME=${caches}`, `TMPDIR=${temporary}`])).toBe('nowhere');
      expect([readdirSync(caches), readdirSync(prepared)]).toEqual([[], []]);
    },
  );

  it.runIf(isRoot)('from no folder if they run as another user than their supervisor', async () => {
    // Even a folder that this user may write to.
    const given = `NODE_COMPILE_CACHE=${folder(0o1777)}`;
    expect(await where([given])).not.toBe('nowhere');
    expect(await where([given], '--user', 'nobody')).toBe('nowhere');
  });
});
