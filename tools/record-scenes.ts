/**
 * Records the scenes of the lab with real servers and clients into `docs/lab/`, and one of them as a page. Run it on
 * a machine that does nothing else, after `npm run build`: `node tools/record-scenes.ts [SCENE…]`.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { nothing } from '../src/instruments/lab/shared/model.ts';
import { unpack } from '../src/instruments/lab/shared/recording.ts';
import { apply } from '../src/instruments/lab/shared/reducer.ts';
import { scenes } from '../src/instruments/lab/shared/scenes.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'docs', 'lab');
/** Length of a recording, in s. */
const LENGTH = 30;
/** Most bytes of a recording, and of a page. */
const MOST = 300 * 1024;
const MOST_PAGE = 2 ** 20;

function lab(...words: readonly string[]): void {
  const { status } = spawnSync(process.execPath, [join(root, 'bin', 'mondo'), 'lab', ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`mondo lab ${words.join(' ')}: exit code ${status}`);
}

const wanted = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
for (const { name } of scenes) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const file = join(folder, `${name}.mondolab`);
  lab('--scene', name, '--record', file, '--duration', String(LENGTH));
  const { size } = statSync(file);
  const records = await unpack(new Uint8Array(readFileSync(file)));
  const { stages, t } = records.reduce(apply, nothing);
  const answered = stages.map(({ setup, users }) => `${setup.architecture} ${users.answered}`);
  console.log(
    `${name}: ${size} bytes, ${(t / 1000).toFixed(1)} s, answered: ${answered.join(', ')}`,
  );
  if (size > MOST) throw new Error(`"${file}" has more than ${MOST} bytes`);
}

const page = join(folder, 'silent.html');
lab('--replay', join(folder, 'silent.mondolab'), '--static', page);
if (statSync(page).size > MOST_PAGE) throw new Error(`"${page}" has more than ${MOST_PAGE} bytes`);
