/** The page of the lab in a real browser, at the lab's own server, with records that a test gives. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { architectureNames } from '../../src/architectures/catalogue.ts';
import { architecturesHere } from '../../src/instruments/lab/hub/available.ts';
import { Hub } from '../../src/instruments/lab/hub/hub.ts';
import { pageFiles } from '../../src/instruments/lab/hub/page-files.ts';
import type { Source } from '../../src/instruments/lab/hub/source.ts';
import { lineOf } from '../../src/instruments/lab/shared/recording.ts';
import type { LabRecord } from '../../src/instruments/lab/shared/records.ts';
import { linkOf, sceneNamed } from '../../src/instruments/lab/shared/scenes.ts';
import type { Command } from '../../src/instruments/lab/shared/wire.ts';
import { CALM } from './browser.ts';
import type { Lab } from './lab.ts';
import { type SceneWish, sceneAttacks, sceneFrames, sceneHeader } from './lab-scene.ts';
import { untilShown } from './until.ts';

const inPage = readFileSync(join(import.meta.dirname, 'lab-in-page.js'), 'utf8');

/** A lab and a browser for all tests of a page at real servers: their start costs as much as several tests. */
export interface Place {
  readonly browser: Browser;
  readonly lab: Lab;
}

const CALM_BEAT = 250;
/** The interval of a lab's frames, for tests of what moves. */
export const BEAT = 50;

/** A hub whose records a test gives, and that keeps the commands of its viewers. */
export class Stand implements Source {
  readonly isReplay = false;
  readonly attacks = sceneAttacks;
  readonly known = {
    architectures: architectureNames,
    attacks: sceneAttacks.map(({ name }) => name),
    stages: 4,
  };
  readonly commands: Command[] = [];
  readonly hub: Hub;
  #lines: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  private constructor(hub: Hub) {
    this.hub = hub;
  }

  static async open(port = 0): Promise<Stand> {
    const stand = new Stand(await Hub.listen(port, await architecturesHere()));
    stand.hub.offer(await pageFiles());
    stand.hub.show(stand);
    return stand;
  }

  say(records: readonly LabRecord[]): void {
    const lines = records.map(lineOf);
    this.#lines.push(...lines);
    this.hub.lines(lines);
  }

  /**
   * Starts a scene as `seconds` after its beginning, and lets it go on.
   *
   * @param beat interval of its frames, in ms: 50 are those of a lab, and cost the page most of a processor
   */
  play(names: readonly string[], wish: SceneWish, seconds = 0, beat = CALM_BEAT): void {
    clearInterval(this.#timer);
    const header = sceneHeader(names, wish);
    this.#lines = [];
    this.say([header]);
    let turn = 0;
    const next = () => {
      this.say(sceneFrames(header, seconds * 1000 + turn * beat, turn, wish.restless));
      turn++;
    };
    next();
    this.#timer = setInterval(next, beat);
  }

  history(): readonly string[] {
    return this.#lines;
  }
  resumption(): readonly string[] {
    return [];
  }
  async obey(command: Command): Promise<void> {
    this.commands.push(command);
  }
  watched(): void {}

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.hub.close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A tab with the lab; it keeps what its console and its policy complained of. */
export class Tab {
  readonly page: Page;
  readonly faults: string[] = [];
  readonly requests: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', ({ message }) => this.faults.push(message));
    page.on('request', (request) => this.requests.push(request.url()));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning')
        this.faults.push(message.text());
    });
  }

  /** Without motion, unless the options want it. */
  static async open(
    browser: Browser,
    url: string,
    options: BrowserContextOptions = {},
  ): Promise<Tab> {
    const context = await browser.newContext({
      ...CALM,
      viewport: { width: 1280, height: 800 },
      ...options,
    });
    const tab = new Tab(await context.newPage());
    await tab.page.goto(url);
    return tab;
  }

  /** Resolves once the first picture is there. */
  async isDrawn(stages = 1): Promise<void> {
    await this.page
      .locator('.stage')
      .nth(stages - 1)
      .waitFor();
    await untilShown('a picture', () => this.ask<boolean>('isDrawn()'));
  }

  /** Calls a function of lab-in-page.js. */
  async ask<T>(call: string): Promise<T> {
    return await this.page.evaluate<T>(`${inPage}\ninLab.${call}`);
  }

  /** The sentence of a stage. */
  async sentence(stage = 0): Promise<string> {
    return (
      (await this.page.locator('.why').nth(stage).locator('[role=status]').textContent()) ?? ''
    );
  }

  /** Answers of a stage, as its table says. */
  async answers(stage = 0): Promise<number> {
    const text =
      (await this.page.locator('.stage').nth(stage).locator('.twin').textContent()) ?? '';
    return Number(/([\d,]+) answers/.exec(text)?.[1]?.replaceAll(',', '') ?? 0);
  }

  /**
   * What a program finds that looks for barriers.
   *
   * @param within selects the part of the page; default: all of it
   * @param rules default: all
   */
  async barriers(within = 'html', rules: readonly string[] = []): Promise<readonly string[]> {
    const isThere = await this.page.evaluate<boolean>("typeof axe === 'object'");
    if (!isThere) await this.page.evaluate(axe.source);
    return await this.ask(`barriers(${JSON.stringify(within)}, ${JSON.stringify(rules)})`);
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A tab at a running lab that shows these architectures, once each of them has answered. */
export async function showing(
  browser: Browser,
  url: string,
  names: readonly string[],
): Promise<Tab> {
  const stages = names.map((architecture) => ({ architecture }));
  const link = linkOf({ ...sceneNamed('long-answers')!, stages }).slice(1);
  const tab = await Tab.open(browser, `${url}&${link}`, { viewport: { width: 1600, height: 900 } });
  await expect.poll(() => tab.page.locator('.stage h2').allTextContents()).toEqual(names);
  await tab.isDrawn(names.length);
  for (const stage of names.keys()) {
    await untilShown(`an answer of ${names[stage]}`, async () => (await tab.answers(stage)) > 0);
  }
  return tab;
}
