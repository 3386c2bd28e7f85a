/** Loads a service module, in the process or thread that runs it. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  checkService,
  checkShared,
  type Protocol,
  type Service,
  ServiceError,
  type Shared,
} from '../protocol/service.ts';
import { ServeError } from './errors.ts';

const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';

export const zenUrl = new URL(`../protocol/zen${extension}`, import.meta.url).href;

/** Converts a path, relative to the working folder, or a URL. */
export function serviceUrl(service: string | URL): string {
  const text = String(service);
  if (text === zenUrl) return text;
  const url = /^(file|data|node):/.test(text) ? text : pathToFileURL(resolve(text)).href;
  if (url.startsWith('file:') && !existsSync(fileURLToPath(url))) {
    throw new ServeError('usage', `Cannot load service "${text}": there is no such file`);
  }
  if (url.startsWith('file:') && /%5C/i.test(url)) {
    throw new ServeError(
      'usage',
      `Cannot load service "${text}": Node loads no module whose path has a backslash; rename the file or its folder`,
    );
  }
  return url;
}

/** A service module, loaded. */
export interface Loaded {
  readonly service: Service | Protocol;
  /** What the module exports as `shared`, or its service has. */
  readonly shared: Shared | undefined;
}

export const loadService = async (url: string): Promise<Service | Protocol> =>
  (await loadModule(url)).service;

export async function loadModule(url: string): Promise<Loaded> {
  let module: { default?: unknown; shared?: unknown };
  try {
    // The Zen service comes with the rest of this package, also in a bundle.
    module = url === zenUrl ? await import('../protocol/zen.ts') : await import(url);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const isCommonJs = /Unexpected token 'export'|Cannot use import statement/.test(message);
    const hint = '; name it .mjs or .mts, or set "type": "module" in its package.json';
    const reason = isCommonJs ? message + hint : message;
    throw new ServiceError(`Cannot load service "${nameOf(url)}": ${reason}`, { cause: error });
  }
  const service = checkService(module.default, nameOf(url));
  return { service, shared: checkShared(module.shared, nameOf(url)) ?? service.shared };
}

/** The user's name for the service: its path; for a module given as text, the beginning. */
export const nameOf = (url: string): string =>
  url.startsWith('file:') ? fileURLToPath(url) : url.slice(0, 80);
