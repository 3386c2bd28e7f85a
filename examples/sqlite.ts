/**
 * Counters in SQLite, a database inside the process. `hit NAME` adds one to a counter, `read NAME` reads it, and both
 * answer `NAME COUNT`. Each thread opens the file for itself, and waits while another one writes.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Service } from '../src/index.ts';

const file = process.env.SQLITE_FILE ?? 'counters.db';
/** How long a question waits for another writer, in ms. A loop serves no other client in this time. */
const PATIENCE = 1000;

interface Counters {
  readonly database: DatabaseSync;
  readonly hit: StatementSync;
  readonly read: StatementSync;
}

let counters: Counters | undefined;

function openCounters(): Counters {
  const database = new DatabaseSync(file, { timeout: PATIENCE });
  try {
    database.exec('CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, count INTEGER)');
    // One statement reads and writes, so no update is lost between threads.
    const hit = `INSERT INTO counters VALUES (?, 1)
      ON CONFLICT (name) DO UPDATE SET count = count + 1 RETURNING count`;
    const read = 'SELECT count FROM counters WHERE name = ?';
    return { database, hit: database.prepare(hit), read: database.prepare(read) };
  } catch (error) {
    database.close();
    throw error;
  }
}

function close(): void {
  counters?.database.close();
  counters = undefined;
}

function answer(line: string): string {
  const [, verb, name] = /^(hit|read) (\S+)\r?\n$/.exec(line) ?? [];
  if (name === undefined) return 'error: ask hit NAME or read NAME\n';
  try {
    counters ??= openCounters();
    const row = (verb === 'hit' ? counters.hit : counters.read).get(name);
    return `${name} ${row?.count ?? 0}\n`;
  } catch (error) {
    // The next question opens the file again: it may have been moved and replaced.
    close();
    return `error: no answer from SQLite: ${(error as Error).message}\n`;
  }
}

const sqlite: Service = {
  shared: 'external',
  delimiter: '\n',
  open() {
    counters = openCounters();
  },
  answer,
  close,
};

export default sqlite;
