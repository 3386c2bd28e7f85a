/** A service that is loaded, or fails to, when a test says so: see `Loading`. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Service } from '../../../src/protocol/service.ts';

const test = connect(new URL(import.meta.url).searchParams.get('at')!);
test.write(String(process.pid));
const [order] = await once(test, 'data');
test.destroy();
if (String(order) === 'fail') throw new Error('It cannot be loaded.');

const service: Service = { delimiter: '?', otherwise: 'Loaded.' };

export default service;
