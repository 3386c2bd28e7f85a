/** Reads a result sheet that may come from a stranger. No Node and no DOM in here. */

import { Field } from './fields.ts';
import type { Reached } from './mission.ts';
import { missionOf } from './missions.ts';
import { isAnswer, type Question } from './question.ts';
import { linkOf } from './scenes.ts';
import { FORMAT, MOST_NAME, type Sheet, VERSION } from './sheet.ts';

/** Most characters of a sheet. */
const MOST_TEXT = 65_536;
const DAY = 86_400_000;

/** A sheet cannot be read. The message is for a person and has one line. */
export class SheetError extends Error {
  override name = 'SheetError';
}

const faultOf = (value: string, name: string, wanted: string) =>
  new SheetError(`Cannot read the sheet: ${name || 'it'} is ${value}; it must be ${wanted}`);

/**
 * A sheet made of a text that may come from a stranger, with nothing in it that the format does not name.
 * @throws SheetError
 */
export function sheetIn(text: string): Sheet {
  if (text.length > MOST_TEXT) throw new SheetError('Cannot read the sheet: it is too long');
  const sheet = new Field(parsed(text), '', faultOf);
  if (sheet.of('format').value !== FORMAT) throw sheet.of('format').fault(`"${FORMAT}"`);
  if (sheet.of('version').value !== VERSION) throw sheet.of('version').fault(`${VERSION}`);
  const mission = missionOf(sheet.of('mission').text());
  if (mission === undefined) throw sheet.of('mission').fault('a mission of this Mondo');
  const answerIn = (name: string, question: Question, least: number) => {
    const value = sheet.of(name).number(least, Number.MAX_SAFE_INTEGER);
    if (value >= 0 && !isAnswer(question, value)) {
      throw sheet.of(name).fault(`an answer to the question of mission ${mission.key}`);
    }
    return value;
  };
  const recording = sheet.of('recording');
  if (!/^(?:[0-9a-f]{64})?$/.test(recording.text())) throw recording.fault('a SHA-256 in hex');
  const link = linkOf(mission.plan);
  if (sheet.of('link').value !== link) throw sheet.of('link').fault('the link of its mission');
  const machine = sheet.of('machine');
  return {
    format: FORMAT,
    version: VERSION,
    name: sheet.of('name').text(MOST_NAME),
    mission: mission.key,
    seed: sheet.of('seed').integer(0, 2 ** 32 - 1),
    link,
    predicted: answerIn('predicted', mission.question, 0),
    measured: sheet.of('measured').number(-1, Number.MAX_SAFE_INTEGER),
    goals: goalsIn(
      sheet.of('goals'),
      mission.steps.flatMap(({ goals }) => goals.map(({ id }) => id)),
    ),
    answered: answerIn('answered', mission.after, -1),
    started: sheet.of('started').number(0, 8.64e15),
    took: sheet.of('took').number(0, DAY),
    isReplay: sheet.of('isReplay').truth(),
    machine: {
      kernel: machine.of('kernel').text(),
      cpus: machine.of('cpus').integer(1, 100_000),
      node: machine.of('node').text(),
    },
    mondo: sheet.of('mondo').text(),
    recording: recording.text(),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SheetError(
      'Cannot read the sheet: it is no JSON; choose the file that the page saved',
    );
  }
}

/** Goals of the mission, each once, in the order of their times. */
function goalsIn(list: Field, known: readonly string[]): readonly Reached[] {
  let last = 0;
  const seen = new Set<string>();
  return list.list(known.length).map((goal) => {
    const id = goal.of('id').text();
    if (!known.includes(id) || seen.has(id)) {
      throw goal.of('id').fault('a goal of its mission, once');
    }
    seen.add(id);
    const at = goal.of('at').number(last, DAY);
    last = at;
    return { id, at };
  });
}
