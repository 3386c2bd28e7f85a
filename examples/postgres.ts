/**
 * Counters in PostgreSQL, through a pool of connections. `hit NAME` adds one to a counter, `read NAME` reads it, and
 * both answer `NAME COUNT`. The variables PGHOST, PGPORT, PGUSER, … say where the database is.
 */
import { Pool } from 'pg';
import type { Service } from '../src/index.ts';

const pool = new Pool({
  // For each thread and process: a server with four threads takes up to 16 connections of the database.
  max: 4,
  connectionTimeoutMillis: 2000,
  query_timeout: 2000,
});
// An idle connection that breaks emits an error, and without a listener it would end the process.
pool.on('error', () => {});

// `CREATE TABLE IF NOT EXISTS` of two threads at the same time can fail, so the lock lets one after the other do it.
const SCHEMA = `SELECT pg_advisory_xact_lock(1060);
  CREATE TABLE IF NOT EXISTS counters (name text PRIMARY KEY, count bigint)`;
// One statement reads and writes, so no update is lost between threads.
const HIT = `INSERT INTO counters VALUES ($1, 1)
  ON CONFLICT (name) DO UPDATE SET count = counters.count + 1 RETURNING count`;
const READ = 'SELECT count FROM counters WHERE name = $1';

/** The reason in one line. A refused connection has a code and, for a name with two addresses, no message. */
const reasonOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  return message || code || String(error);
};

const postgres: Service = {
  shared: 'external',
  delimiter: '\n',
  async open() {
    try {
      await pool.query(SCHEMA);
    } catch (error) {
      throw new Error(`no answer from PostgreSQL: ${reasonOf(error)}`, { cause: error });
    }
  },
  async answerAsync(line) {
    const [, verb, name] = /^(hit|read) (\S+)\r?\n$/.exec(line) ?? [];
    if (name === undefined) return 'error: ask hit NAME or read NAME\n';
    try {
      const { rows } = await pool.query(verb === 'hit' ? HIT : READ, [name]);
      return `${name} ${rows[0]?.count ?? 0}\n`;
    } catch (error) {
      // The pool has dropped the broken connection, and the next question opens a new one.
      return `error: no answer from PostgreSQL: ${reasonOf(error)}\n`;
    }
  },
  close: () => pool.end(),
};

export default postgres;
