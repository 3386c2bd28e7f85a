/** Reads values that come from a stranger: each part has the type and the range that is asked of it, or is a fault. */

import { MOST } from './records.ts';

export type Range = readonly [least: number, most: number];

/** Makes the error for a wrong value: the value as JSON, its name such as `mix.clients`, and what it must be. */
export type FaultOf = (value: string, name: string, wanted: string) => Error;

/** What a terminal or a browser would obey; JSON escapes the other control characters. */
const OBEYED = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** A parsed value, or a part of it. Each method throws a fault if the value is not what it names. */
export class Field {
  readonly value: unknown;
  /** '' for the whole. */
  readonly name: string;
  readonly #faultOf: FaultOf;

  constructor(value: unknown, name: string, faultOf: FaultOf) {
    this.value = value;
    this.name = name;
    this.#faultOf = faultOf;
  }

  fault(wanted: string): Error {
    const shown = (JSON.stringify(this.value) ?? 'nothing').slice(0, 40).replaceAll(OBEYED, '·');
    return this.#faultOf(shown, this.name, wanted);
  }

  /** Own properties only: `__proto__` and its like are absent. */
  of(key: string): Field {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.fault('an object');
    }
    const own = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
    return new Field(own, this.name === '' ? key : `${this.name}.${key}`, this.#faultOf);
  }

  number(least: number, most: number): number {
    const { value } = this;
    if (typeof value !== 'number' || !(value >= least && value <= most)) {
      throw this.fault(`a number from ${least} to ${most}`);
    }
    return value;
  }

  integer(least: number, most: number): number {
    if (!Number.isSafeInteger(this.value)) throw this.fault('a whole number');
    return this.number(least, most);
  }

  text(most: number = MOST.text): string {
    const { value } = this;
    if (typeof value !== 'string' || value.length > most) {
      throw this.fault(`a text of at most ${most} characters`);
    }
    return value;
  }

  truth(): boolean {
    if (typeof this.value !== 'boolean') throw this.fault('true or false');
    return this.value;
  }

  oneOf<T extends string>(words: readonly T[]): T {
    const found = words.find((word) => word === this.value);
    if (found === undefined) throw this.fault(`one of ${words.join(', ')}`);
    return found;
  }

  list(most: number): readonly Field[] {
    const { value } = this;
    if (!Array.isArray(value) || value.length > most) throw this.fault(`a list of at most ${most}`);
    return value.map((item, index) => new Field(item, `${this.name}[${index}]`, this.#faultOf));
  }

  /** Rows of numbers: one column for each range. */
  rows(most: number, ranges: readonly Range[]): readonly number[] {
    const { value } = this;
    if (!Array.isArray(value) || value.length > most * ranges.length) {
      throw this.fault(`a list of at most ${most} rows`);
    }
    if (value.length % ranges.length !== 0) throw this.fault(`rows of ${ranges.length}`);
    for (let index = 0; index < value.length; index++) {
      const [least, most] = ranges[index % ranges.length]!;
      const item: unknown = value[index];
      if (!Number.isSafeInteger(item) || !((item as number) >= least && (item as number) <= most)) {
        throw new Field(item, `${this.name}[${index}]`, this.#faultOf).fault(
          `a whole number from ${least} to ${most}`,
        );
      }
    }
    return value as number[];
  }
}
