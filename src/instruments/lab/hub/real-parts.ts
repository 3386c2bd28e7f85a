/** The processes of a live session. */
import { architectureNames, loadArchitecture } from '../../../architectures/catalogue.ts';
import type { WelcomeRecord } from '../shared/wire.ts';
import { StageProcess } from '../stage/stage.ts';
import { Assault, attackChoices, needsOf } from '../street/attacks.ts';
import { Street } from '../street/street.ts';
import type { Parts } from './session.ts';

export async function realParts(architectures: WelcomeRecord['architectures']): Promise<Parts> {
  return {
    architectures: architectures.filter(({ missing }) => missing === '').map(({ name }) => name),
    attacks: await attackChoices(),
    startStage: (order, hear) => StageProcess.start(order, hear),
    startStreet: (epoch, hear) => Street.start(epoch, hear),
    assaults: (now, hear) => {
      const assault = new Assault(now, hear);
      return {
        get pids() {
          return assault.pids;
        },
        needsOf,
        start: async (s, attack, stage, seconds) => {
          const { architecture } = stage.setup;
          const name = architectureNames.find((known) => known === architecture)!;
          const victim = {
            traits: await loadArchitecture(name),
            port: stage.port,
            pids: () => stage.pids,
          };
          await assault.start(s, attack, victim, seconds);
        },
        stop: (s) => assault.stop(s),
        close: () => assault.close(),
      };
    },
  };
}
