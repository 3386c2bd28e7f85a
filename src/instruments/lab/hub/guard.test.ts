import { expect, test } from 'vitest';
import { PROTOCOL } from '../shared/wire.ts';
import {
  type Asked,
  cameByCode,
  HEADERS,
  Passes,
  pageRefusalOf,
  viewerRefusalOf,
} from './guard.ts';

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const rawHeaders = (headers: Headers): string[] =>
  Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().flatMap((one) => [name, one]),
  );
const asked = (url: string, headers: Headers, method = 'GET'): Asked => ({
  method,
  url,
  rawHeaders: rawHeaders(headers),
});
const paths = new Set(['/', '/page.js']);
const page = (url: string, headers: Headers = { Host: 'localhost:1' }, method?: string) =>
  pageRefusalOf(asked(url, headers, method), paths)?.status ?? 200;

test.each([
  '127.0.0.1',
  '127.0.0.1:41234',
  'localhost:1',
  'localhost',
  '[::1]:8080',
])('serves the host %j', (host) => {
  expect(page('/', { Host: host })).toBe(200);
});

test.each([
  'evil.example',
  'localhost6',
  'localhost.evil.example',
  '127.0.0.1.nip.io',
  '127.0.0.1.nip.io:80',
  '0.0.0.0',
  '2130706433',
  '0x7f000001',
  '127.1',
  '127.0.0.1.',
  'localhost.',
  'LOCALHOST',
  'Localhost:1',
  '',
  ' localhost',
  'localhost:',
  'localhost:1:2',
  'localhost:999999',
  'evil@localhost',
  'localhost@evil.example',
  '::1',
  '[::1',
  '[::ffff:127.0.0.1]',
  'localhost\t',
  'local\u0000host',
])('refuses the host %j', (host) => {
  expect(page('/', { Host: host })).toBe(421);
});

test.each<[string, Headers]>([
  ['no host', {}],
  ['two hosts', { Host: ['localhost', 'evil.example'] }],
  ['the same host twice', { Host: ['localhost', 'localhost'] }],
  ['two spellings', { Host: 'localhost', hOsT: 'evil.example' }],
])('refuses %s', (_, headers) => {
  expect(page('/', headers)).toBe(400);
});

test.each([
  ['//evil/', 400],
  ['//', 400],
  ['http://evil/', 400],
  ['http://localhost:1/', 400],
  ['*', 400],
  ['', 400],
  ['evil', 400],
  ['/..%2f', 404],
  ['/../', 404],
  ['/%00', 404],
  ['/?raw', 404],
  ['/page.js?raw', 404],
  ['/?t=token', 404],
  ['/@fs/etc/passwd', 404],
  ['/page.js/', 404],
  ['/PAGE.JS', 404],
  ['/__proto__', 404],
  ['/page.js', 200],
])('answers the target %j with %d', (url, status) => {
  expect(page(url)).toBe(status);
});

test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'get'])('refuses %s', (method) => {
  expect(page('/', undefined, method)).toBe(405);
  expect(page('/', { Host: 'evil.example' }, method)).toBe(421);
});

test('HEAD is answered', () => {
  expect(page('/', undefined, 'HEAD')).toBe(200);
});

test.each([
  ['cross-site', 'script', 403],
  ['same-site', 'empty', 403],
  ['cross-site', 'iframe', 403],
  ['cross-site', 'document', 200],
  ['same-origin', 'script', 200],
  ['none', 'document', 200],
])('a browser asks from %s for a %s', (site, destination, status) => {
  const headers = { Host: 'localhost:1', 'Sec-Fetch-Site': site, 'Sec-Fetch-Dest': destination };
  expect(page('/page.js', headers)).toBe(status);
});

const passes = new Passes();
const viewer = (change: Headers = {}, url = '/', method = 'GET') => {
  const headers = {
    Host: '127.0.0.1:1',
    Origin: 'http://127.0.0.1:1',
    'Sec-WebSocket-Protocol': `${PROTOCOL}, t.${passes.token}`,
    ...change,
  };
  return viewerRefusalOf(asked(url, headers, method), passes)?.status ?? 101;
};

test('a viewer with the token comes in, also through a tunnel', () => {
  expect(viewer()).toBe(101);
  expect(viewer({ Host: 'localhost:8080', Origin: 'http://localhost:8080' })).toBe(101);
  expect(viewer({ 'Sec-Fetch-Site': 'same-origin' })).toBe(101);
});

test.each<[string, Headers, number]>([
  ['no origin', { Origin: undefined }, 403],
  ['the origin null', { Origin: 'null' }, 403],
  ['a foreign origin', { Origin: 'http://evil.example' }, 403],
  ['another port', { Origin: 'http://127.0.0.1:2' }, 403],
  ['another scheme', { Origin: 'https://127.0.0.1:1' }, 403],
  ['another name of this machine', { Origin: 'http://localhost:1' }, 403],
  ['a user in the origin', { Origin: 'http://127.0.0.1:1@evil.example' }, 403],
  ['two origins', { Origin: ['http://127.0.0.1:1', 'http://evil.example'] }, 403],
  ['another site', { 'Sec-Fetch-Site': 'cross-site' }, 403],
  ['a foreign host', { Host: 'evil.example', Origin: 'http://evil.example' }, 421],
  ['no protocol', { 'Sec-WebSocket-Protocol': undefined }, 401],
  ['no token', { 'Sec-WebSocket-Protocol': PROTOCOL }, 401],
  ['a wrong token', { 'Sec-WebSocket-Protocol': `${PROTOCOL}, t.AAAAAAAAAAAAAAAAAAAAAA` }, 401],
  ['a shorter token', { 'Sec-WebSocket-Protocol': `${PROTOCOL}, t.` }, 401],
  ['the token as a code', { 'Sec-WebSocket-Protocol': `${PROTOCOL}, o.${passes.token}` }, 401],
  ['the token alone', { 'Sec-WebSocket-Protocol': `t.${passes.token}` }, 401],
  [
    'two tokens',
    { 'Sec-WebSocket-Protocol': `${PROTOCOL}, t.${passes.token}, t.AAAAAAAAAAAAAAAAAAAAAA` },
    401,
  ],
])('a viewer with %s stays out', (_, change, status) => {
  expect(viewer(change)).toBe(status);
});

test('a viewer has one path and one method', () => {
  expect(viewer({}, '/page.js')).toBe(404);
  expect(viewer({}, `/?t=${passes.token}`)).toBe(404);
  expect(viewer({}, '//')).toBe(400);
  expect(viewer({}, '/', 'POST')).toBe(405);
});

test('a code lets one viewer in', () => {
  const code = passes.newCode();
  const offer = { 'Sec-WebSocket-Protocol': `${PROTOCOL}, o.${code}` };
  expect(viewer({ ...offer, Origin: 'http://evil.example' })).toBe(403);
  expect(viewer(offer)).toBe(101);
  expect(viewer(offer)).toBe(401);
  expect(cameByCode(asked('/', offer))).toBe(true);
  expect(cameByCode(asked('/', { 'Sec-WebSocket-Protocol': `t.${passes.token}` }))).toBe(false);
});

test('tokens have 128 bits, and no launch has that of another', () => {
  expect(Buffer.from(passes.token, 'base64url')).toHaveLength(16);
  expect(new Passes().token).not.toBe(passes.token);
  expect(passes.newCode()).not.toBe(passes.newCode());
});

test('no response allows another origin', () => {
  expect(Object.keys(HEADERS).filter((name) => /^access-control/i.test(name))).toEqual([]);
});
