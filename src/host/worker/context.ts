/** The surroundings of a worker on system calls: one for each thread that serves. */

import { Departure } from '../../lifecycle/drain.ts';
import { mapSharedMemory } from '../../os/memory.ts';
import { threadId } from '../../os/signal.ts';
import { dup, shutdown } from '../../os/socket.ts';
import { speakersOf } from '../../protocol/speaker.ts';
import type { Architecture, Task, WorkerContext } from '../../worker/contract.ts';
import { type Reason, SCOREBOARD_SIZE, Scoreboard } from '../../worker/scoreboard.ts';
import { loadService } from '../load-service.ts';
import { beatFor } from '../supervisor/stuck.ts';
import { mannersOf } from './conversation-factory.ts';
import { type Door, sharedAdmission } from './door.ts';
import { journalInto } from './journal.ts';
import { createSettler } from './settle.ts';
import { JOURNAL_FD, SCOREBOARD_FD, type WorkerConfig } from './worker-config.ts';

/** What only the process's main thread can do for a worker. */
export interface Helm {
  readonly stopped: Promise<void>;
  startThread(task: Task): void;
  startProcess(task: Task): void;
  waitForAssistants(count: number, stopping: () => boolean): void;
}

export async function createContext(
  config: WorkerConfig,
  architecture: Architecture,
  listener: number,
  helm: Helm,
  isAssistant: boolean,
  door: Door,
): Promise<{ worker: WorkerContext; dispose(): void }> {
  const tid = threadId();
  const scoreboard = new Scoreboard(mapSharedMemory(SCOREBOARD_FD, SCOREBOARD_SIZE));
  const family = config.assistant === undefined ? process.pid : config.parent;
  const row = scoreboard.claim(process.pid, tid, family);
  const departure = new Departure(scoreboard.orders(config.generation));
  const asynchronous = architecture.arrangement === 'node';
  const settler = createSettler(config.service, true);
  const service = await loadService(config.service);
  const speakers = speakersOf(service, asynchronous, settler.settle);
  const count = (reason: Reason) => scoreboard.count(reason);
  const manners = mannersOf(config, service, speakers, count);
  const worker: WorkerContext = {
    listener,
    hasOwnListener: config.reuseport,
    mostQueued: config.backlog * (config.reuseport ? config.threads * config.processes : 1),
    journal: journalInto(JOURNAL_FD, tid, config.journal),
    row,
    unsentOfAll: () => scoreboard.unsent(),
    options: config.options,
    threads: config.threads,
    get stopping() {
      return departure.isDue;
    },
    departure,
    noteQueued(depth) {
      scoreboard.queued = depth;
    },
    stopped: helm.stopped,
    listen: (server) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        // Node closes what it was given as its server is closed, and another may come after that one.
        // The backlog stands apart: with a descriptor Node ignores the one among the options, and takes 511.
        server.listen({ fd: dup(listener) }, config.backlog, () => {
          // To listen once more undoes the shutdown of a stop that came meanwhile.
          if (scoreboard.orders(config.generation).order === 'stop') shutdown(listener);
          resolve();
        });
      }),
    canPause: true,
    ...manners,
    admission: sharedAdmission(config, scoreboard.admission, door, count),
    startThread: helm.startThread,
    startProcess: helm.startProcess,
    mostWaiting: 1,
    beat: beatFor(config.stuck),
    waitForAssistants: (count) => helm.waitForAssistants(count, () => departure.isDue),
  };
  return {
    worker,
    dispose() {
      settler.close();
      row.free();
      // A thread that only assisted leaves its process behind; the others take the mapping with them.
      if (isAssistant) scoreboard.unmap();
    },
  };
}
