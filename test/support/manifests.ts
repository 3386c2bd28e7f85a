/** Reads the Kubernetes manifests, and says what is wrong with one: by its schema, and by keys that no schema knows. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const kubernetes = join(import.meta.dirname, '../../deploy/kubernetes');

/** A parsed manifest: its form depends on its kind. */
// biome-ignore lint/suspicious/noExplicitAny: the schemas check it.
export type Manifest = any;

/** All manifests of a folder that are not kustomize's own, as they stand in the files. */
export const manifestsIn = (folder: string): Manifest[] =>
  readdirSync(join(kubernetes, folder))
    .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
    .flatMap((name) => parsed(readFileSync(join(kubernetes, folder, name), 'utf8')));

/** All manifests of a folder as kustomize makes them. */
export const rendered = (folder: string): Manifest[] =>
  parsed(
    execFileSync('kubectl', ['kustomize', join(kubernetes, folder)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );

function parsed(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJSON();
  });
}

/** Faults of a manifest; empty if there are none. Kinds of Kubernetes itself only. */
export async function faultsOf(manifest: Manifest): Promise<string[]> {
  const { apiVersion, kind } = manifest;
  const { [kind]: Model } = await import(`kubernetes-models/${apiVersion}/${kind}`);
  const read = new Set<string>();
  try {
    // A model would copy the manifest, and read all of it.
    Model.prototype.validate.call(watched(manifest, '', read));
  } catch (error) {
    return [(error as Error).message];
  }
  return pathsOf(manifest, '')
    .filter((path) => !read.has(path))
    .map((path) => `no schema knows ${path}`);
}

/** Notes each property that is read. A schema reads only the properties that it knows. */
function watched(value: Manifest, path: string, read: Set<string>): Manifest {
  if (value === null || typeof value !== 'object') return value;
  return new Proxy(value, {
    get(target, key) {
      const own = Reflect.get(target, key);
      if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return own;
      read.add(`${path}/${key}`);
      return watched(own, `${path}/${key}`, read);
    },
  });
}

function pathsOf(value: Manifest, path: string): string[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, one]) => [
    `${path}/${key}`,
    ...pathsOf(one, `${path}/${key}`),
  ]);
}
