/**
 * Decides which requests the lab's server answers. Pages of other origins, names that another DNS server made point
 * here, and other users of this machine must reach nothing, so each rule refuses what it does not know.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { PROTOCOL } from '../shared/wire.ts';

/** What a request shows of itself; of `IncomingMessage`. */
export type Asked = Pick<IncomingMessage, 'method' | 'url' | 'rawHeaders'>;

export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 421;
  readonly why: string;
}

/** Exact names: others are ordinary names of the DNS, also `localhost6` and `localhost.`. The port may be a tunnel's. */
const OWN_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/;

const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data: blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

/** Every response has these. No header of CORS is among them. */
export const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': CSP,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
};

const refused = (status: Refusal['status'], why: string): Refusal => ({ status, why });

/** All values of a header. Node's own `headers` keeps only the first `Host`. */
function valuesOf({ rawHeaders }: Asked, name: string): string[] {
  return rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === name,
  );
}

/** Why a request of any kind is refused, before its path is looked up. */
function refusalOf(asked: Asked): Refusal | undefined {
  const hosts = valuesOf(asked, 'host');
  if (hosts.length !== 1) return refused(400, 'give one Host');
  const target = asked.url ?? '';
  // An absolute target, or one with two slashes, names a host of its own.
  if (!target.startsWith('/') || target.startsWith('//')) return refused(400, 'give a path');
  if (!OWN_HOST.test(hosts[0]!)) return refused(421, 'this host is not the lab');
  return undefined;
}

/** Why a page or a part of it is not given. @param paths all that there are */
export function pageRefusalOf(
  asked: Asked,
  paths: Pick<ReadonlySet<string>, 'has'>,
): Refusal | undefined {
  const refusal = refusalOf(asked);
  if (refusal !== undefined) return refusal;
  if (asked.method !== 'GET' && asked.method !== 'HEAD') return refused(405, 'only GET and HEAD');
  if (!paths.has(asked.url!)) return refused(404, 'there is no such page');
  const [destination] = valuesOf(asked, 'sec-fetch-dest');
  // A link on another site may open the lab as a page; nothing of another site may embed or fetch a part of it.
  if (destination !== 'document' && !isSameSite(asked)) return refused(403, 'another site asks');
  return undefined;
}

/** True if the browser does not say that a page of another origin asks. */
const isSameSite = (asked: Asked): boolean =>
  valuesOf(asked, 'sec-fetch-site').every((site) => site === 'same-origin' || site === 'none');

/**
 * Why a connection of a viewer is refused. Its path is `/`.
 * @param passes.admits a token or a code; a code is used up by that
 */
export function viewerRefusalOf(asked: Asked, passes: Passes): Refusal | undefined {
  const refusal = refusalOf(asked);
  if (refusal !== undefined) return refused(refusal.status, refusal.why);
  if (asked.method !== 'GET') return refused(405, 'only GET');
  if (asked.url !== '/') return refused(404, 'there is no such page');
  const origins = valuesOf(asked, 'origin');
  const own = `http://${valuesOf(asked, 'host')[0]!}`;
  if (origins.length !== 1 || origins[0] !== own || !isSameSite(asked)) {
    return refused(403, 'another site asks');
  }
  const offered = valuesOf(asked, 'sec-websocket-protocol')
    .flatMap((value) => value.split(','))
    .map((value) => value.trim());
  const [pass = '', ...others] = offered.filter((value) => value !== PROTOCOL);
  if (!offered.includes(PROTOCOL) || others.length > 0 || !passes.admits(pass)) {
    return refused(401, 'the token is wrong');
  }
  return undefined;
}

/** True for a viewer that was let in with a code. */
export const cameByCode = (asked: Asked): boolean =>
  valuesOf(asked, 'sec-websocket-protocol').some((value) => /(?:^|[\s,])o\./.test(value));

/** A code works for this time, in ms. */
const CODE_LIFE = 60_000;

/** What lets viewers in: one token for the launch, and codes that work once. */
export class Passes {
  readonly token = randomBytes(16).toString('base64url');
  readonly #codes = new Map<string, number>();

  /**
   * A code for a browser that the lab starts: its address is visible to all users of the machine, so it must be
   * worthless afterwards.
   */
  newCode(): string {
    const code = randomBytes(16).toString('base64url');
    this.#codes.set(code, performance.now() + CODE_LIFE);
    return code;
  }

  /** @param pass `t.` and the token, or `o.` and a code */
  admits(pass: string): boolean {
    if (isEqual(pass, `t.${this.token}`)) return true;
    for (const [code, until] of this.#codes) {
      const isRight = isEqual(pass, `o.${code}`);
      const isLate = performance.now() > until;
      if (isRight || isLate) this.#codes.delete(code);
      if (isRight && !isLate) return true;
    }
    return false;
  }
}

/** Takes the same time for each wrong text of the right length. */
function isEqual(given: string, wanted: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(wanted)];
  return one.length === other.length && timingSafeEqual(one, other);
}
