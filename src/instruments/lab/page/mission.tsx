/** The missions: a list, and the one that the learner is in, from its question to its result sheet. */

import { useEffect, useRef } from 'preact/hooks';
import {
  finish,
  hasReached,
  type Mission,
  type Progress,
  phaseOf,
  type Step,
} from '../shared/mission.ts';
import { answerText, isChoices, letterOf, type Question } from '../shared/question.ts';
import { Command } from './command.tsx';
import { failure, loadTexts, texts } from './mission-list.ts';
import {
  answerAfter,
  choose,
  learner,
  predict,
  progress,
  saveRecording,
  saveSheet,
} from './mission-run.ts';
import { newest, send, steers } from './state.ts';

export function Missions() {
  const { value } = progress;
  return value === undefined ? <List /> : <Current value={value} />;
}

function List() {
  useEffect(() => void loadTexts(), []);
  if (texts.value === undefined) return <p>{failure.value || 'The missions are loading.'}</p>;
  return (
    <>
      <p>Each mission takes about ten minutes: you predict, watch, and explain.</p>
      <ul class="missions">
        {texts.value.missions.map((mission) => (
          <li key={mission.key}>
            <button type="button" onClick={() => choose(mission)}>
              <b>{mission.key}</b> {mission.title}
            </button>
            <span>{mission.box}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Current({ value }: { readonly value: Progress }) {
  const { mission } = value;
  const phase = phaseOf(value);
  return (
    <article class="mission" aria-labelledby="mission-title">
      <header class="row">
        <h2 id="mission-title">
          {mission.key} {mission.title}
        </h2>
        <button type="button" onClick={() => choose(undefined)}>
          all missions
        </button>
      </header>
      {phase === 'predict' ? (
        <>
          <p>First predict. The run starts after your answer.</p>
          <Ask question={mission.question} onAnswer={predict} />
        </>
      ) : (
        <Run value={value} />
      )}
      {(phase === 'after' || phase === 'over') && <End value={value} />}
      {phase !== 'predict' && <SheetButtons />}
    </article>
  );
}

/** One question: radio buttons, or a field for a number. */
function Ask({
  question,
  onAnswer,
}: {
  readonly question: Question;
  readonly onAnswer: (value: number) => void;
}) {
  const form = useRef<HTMLFormElement>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    const given = new FormData(form.current!).get('answer');
    if (typeof given === 'string' && given !== '') onAnswer(Number(given.replace(',', '.')));
  };
  return (
    <form ref={form} onSubmit={submit}>
      <fieldset>
        <legend>{question.text}</legend>
        {isChoices(question) ? (
          question.choices.map((choice, index) => (
            <label key={choice}>
              <input type="radio" name="answer" value={index} required />
              <b>{letterOf(index)}</b> {choice}
            </label>
          ))
        ) : (
          <label>
            <input name="answer" inputMode="decimal" size={6} required autocomplete="off" />{' '}
            {question.unit}
          </label>
        )}
      </fieldset>
      <button type="submit" class="primary">
        that is my answer
      </button>
    </form>
  );
}

function Run({ value }: { readonly value: Progress }) {
  const { mission, predicted, step } = value;
  const isWatched = value.began !== undefined;
  return (
    <>
      <p>You predicted {answerText(mission.question, predicted!)}.</p>
      {!isWatched && (
        <p>
          {steers.value
            ? 'The servers start.'
            : 'Play a recording of this mission: its goals count.'}
        </p>
      )}
      <ol class="steps">
        {mission.steps.map((one, index) => (
          <StepItem
            key={one.text}
            step={one}
            value={value}
            state={index < step ? 'done' : index === step ? 'now' : 'later'}
          />
        ))}
      </ol>
      <p class="hidden" role="status">
        {value.reached.length} of {mission.steps.flatMap(({ goals }) => goals).length} goals reached
      </p>
    </>
  );
}

function StepItem({
  step,
  value,
  state,
}: {
  readonly step: Step;
  readonly value: Progress;
  readonly state: 'done' | 'now' | 'later';
}) {
  return (
    <li class={state} aria-current={state === 'now' ? 'step' : undefined}>
      {step.text}
      {state === 'now' && (
        <div class="row">
          {step.buttons.map((button) => (
            <button
              key={button.label}
              type="button"
              disabled={!steers.value}
              onClick={() => {
                for (const command of button.commands(newest.value)) send(command);
              }}
            >
              {button.label}
            </button>
          ))}
        </div>
      )}
      <ul class="goals">
        {step.goals.map((goal) => {
          const isReached = hasReached(value, goal.id);
          const mark = isReached ? '✓' : goal.id in value.held ? '…' : '○';
          return (
            <li key={goal.id}>
              <span aria-hidden="true">{mark}</span> {goal.text}
              {goal.isExtra === true && ' (extra: it needs traced lines)'}
              <span class="hidden">{isReached ? ', reached' : ', not reached'}</span>
            </li>
          );
        })}
      </ul>
    </li>
  );
}

function End({ value }: { readonly value: Progress }) {
  const { mission, measured, answered } = value;
  const result = finish(value)!;
  return (
    <>
      <h3>Why</h3>
      {measured !== undefined && (
        <p>
          Measured: <b>{answerText(mission.question, measured)}</b>.{' '}
          {result.isClose
            ? 'Your prediction was close.'
            : `You predicted ${answerText(mission.question, result.predicted)}. What did you assume?`}
        </p>
      )}
      <p>{mission.why}</p>
      <p>
        In a terminal: <Command text={mission.command} />
      </p>
      <h3>One question more</h3>
      {answered === undefined ? (
        <Ask key="after" question={mission.after} onAnswer={answerAfter} />
      ) : (
        <>
          <p>{mission.after.text}</p>
          <p role="status">
            {result.isAnsweredRight
              ? `Right: ${answerText(mission.after, answered)}.`
              : `You chose ${answerText(mission.after, answered)}. Right is ${answerText(mission.after, mission.after.right)}.`}
          </p>
          <Next mission={mission} />
        </>
      )}
    </>
  );
}

function Next({ mission }: { readonly mission: Mission }) {
  const all = texts.value?.missions ?? [];
  const next = all[all.indexOf(mission) + 1];
  return (
    <p>
      {mission.next}{' '}
      {next !== undefined && (
        <button type="button" onClick={() => choose(next)}>
          mission {next.key}
        </button>
      )}
    </p>
  );
}

function SheetButtons() {
  return (
    <div class="row sheet">
      <label>
        Name on the sheet{' '}
        <input
          value={learner.value}
          maxLength={120}
          autocomplete="off"
          onInput={({ currentTarget }) => {
            learner.value = currentTarget.value;
          }}
        />
      </label>
      <button type="button" onClick={() => void saveSheet('json')}>
        save the result sheet
      </button>
      <button type="button" onClick={() => void saveSheet('html')}>
        save it for paper
      </button>
      <button type="button" onClick={() => void saveRecording()}>
        save its recording
      </button>
    </div>
  );
}
