/** How the help of all commands looks: options in groups, each group with an example, and lists under them. */
import { type Command, Help, Option } from 'commander';
import { tableLines } from '../instruments/report/table.ts';

/** Characters that a line of the help may have. */
const WIDTH = 80;

/** The group that comes first: the options that a beginner needs. */
export const FIRST = 'Start with these:';

/**
 * Adds options in groups, each of which ends with an example.
 *
 * @param groups heading, example, and what adds the options
 */
export function optionGroups(
  command: Command,
  groups: readonly (readonly [heading: string, example: string, add: (command: Command) => void])[],
): Command {
  const examples = new Map<string, string>();
  for (const [heading, example, add] of groups) {
    examples.set(heading, example);
    command.optionsGroup(heading);
    add(command);
  }
  command.addHelpOption(new Option('-h, --help', 'print this help').helpGroup('Help:'));
  const own = command.configureHelp();
  return command.configureHelp({
    ...own,
    formatItemList(heading, items, helper) {
      const lines = Help.prototype.formatItemList.call(this, heading, items, helper);
      const example = examples.get(heading);
      // An empty line ends the list.
      return example === undefined ? lines : [...lines.slice(0, -1), `  Example: ${example}`, ''];
    },
  });
}

/** What the help says of an option: its text, which names the words that it takes, and its default. */
export function optionDescription(option: Option): string {
  const { description, defaultValue, defaultValueDescription } = option;
  if (defaultValue === undefined || description.includes('(default: ')) return description;
  return `${description} (default: ${defaultValueDescription ?? String(defaultValue)})`;
}

/** A list under the help: a name and what it means in each line. */
export function helpList(heading: string, rows: readonly (readonly [string, string])[]): string {
  const lines = tableLines({ head: ['', ''], rows }, { width: WIDTH - 2 })
    .slice(1)
    .flat();
  return `\n${heading}\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** Text under the help, one paragraph. */
export function helpText(text: string): string {
  const lines: string[] = [''];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1)!;
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length <= WIDTH) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return `\n${lines.join('\n')}`;
}
