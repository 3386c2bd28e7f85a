/** What viewers watch: live servers, or a recording. */

import type { ServeError } from '../../../host/errors.ts';
import type { AttackChoice, Command } from '../shared/wire.ts';
import type { Known } from './commands.ts';

/** All texts are lines of records, each with its newline. */
export interface Source {
  readonly isReplay: boolean;
  readonly attacks: readonly AttackChoice[];
  readonly known: Known;
  /** Lines for a viewer who comes now. */
  history(): readonly string[];
  /** Lines for a viewer who missed `lost` lines. */
  resumption(lost: number): readonly string[];
  /** @throws RefusedError or ServeError if it cannot be done; the message is one line */
  obey(command: Command): Promise<void>;
  /** Resolves if it cannot go on; the message is one line. Default: it always can. */
  readonly failed?: Promise<ServeError>;
  /** The number of viewers has changed. */
  watched(viewers: number): void;
  close(): Promise<void>;
}

/** What a source tells its hub. */
export interface Listener {
  /** New lines, about every 50 ms. */
  lines(lines: readonly string[]): void;
  /** True if the lines are kept for later: then they are of use without viewers too. */
  readonly keeps?: boolean;
  /** A fault that no command caused: one line. */
  fault(text: string): void;
}
