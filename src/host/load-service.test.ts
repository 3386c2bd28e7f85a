import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import zen from '../protocol/zen.ts';
import { ServeError } from './errors.ts';
import { loadService, serviceUrl, zenUrl } from './load-service.ts';

describe('serviceUrl', () => {
  const path = join(import.meta.dirname, '../protocol/zen.ts');

  it('accepts a path, relative to the working folder, and a URL', () => {
    expect(serviceUrl(path)).toBe(zenUrl);
    expect(serviceUrl(pathToFileURL(path))).toBe(zenUrl);
    expect(serviceUrl(zenUrl)).toBe(zenUrl);
    expect(serviceUrl('./package.json')).toBe(
      pathToFileURL(join(process.cwd(), 'package.json')).href,
    );
  });

  it('leaves a data URL unchanged', () => {
    const url = 'data:text/javascript,export default {}';
    expect(serviceUrl(url)).toBe(url);
  });

  it('refuses a file that does not exist, and quotes it as given', () => {
    for (const service of ['./no-such.ts', 'file:///no/such.ts']) {
      expect(() => serviceUrl(service)).toThrow(ServeError);
      expect(() => serviceUrl(service)).toThrow(`Cannot load service "${service}"`);
    }
  });
});

describe('a path with a backslash', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mondo-service-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is refused in one line, because Node loads no such module', () => {
    const path = join(folder, 'back\\slash.mjs');
    writeFileSync(path, 'export default {}');
    expect(() => serviceUrl(path)).toThrow(
      `Cannot load service "${path}": Node loads no module whose path has a backslash; rename`,
    );
  });
});

describe('loadService', () => {
  it('returns the default export', async () => {
    expect(await loadService(zenUrl)).toEqual(zen);
  });

  it('names a module that cannot be loaded, and the reason', async () => {
    const broken = 'data:text/javascript,throw new Error("broken inside")';
    await expect(loadService(broken)).rejects.toThrow(/Cannot load service "data:.*broken inside/);
  });

  it('reports what a module lacks that is not a service', async () => {
    await expect(loadService('data:text/javascript,export default {}')).rejects.toThrow(
      '"delimiter"',
    );
    await expect(loadService('data:text/javascript,')).rejects.toThrow('missing');
  });
});
