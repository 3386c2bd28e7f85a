/**
 * Inserts calls of a recorder into source text without moving a line. The calls stand before each
 * statement of a function, at its start and end, around each loop condition, and around each
 * `yield` and `await`. The original program runs, at its own lines. The cost is one call at each of
 * these places.
 */
import { parse } from 'acorn';

/** Name of the global object that is a `Recorder`. */
export const RECORDER = '__mondoTrace';
/** Name of the variable in which each function keeps its frame. */
const FRAME = '__mondoFrame';

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly loc: { readonly start: { readonly line: number } };
  readonly [key: string]: unknown;
}

interface Insertion {
  readonly at: number;
  readonly text: string;
  /**
   * Order of insertions at the same place: the outermost opening first, the innermost closing
   * first.
   */
  readonly order: number;
}

/** Statements without a call before them: they execute nothing, or their parts have calls. */
const SILENT = new Set([
  'BlockStatement',
  'ClassDeclaration',
  'DoWhileStatement',
  'EmptyStatement',
  'ForStatement',
  'FunctionDeclaration',
  'WhileStatement',
]);

const FUNCTIONS = new Set(['ArrowFunctionExpression', 'FunctionDeclaration', 'FunctionExpression']);

/**
 * @param source JavaScript of a module, with types replaced by blanks
 * @param module number of the module for the recorder
 */
export function instrument(source: string, module: number): string {
  const program = parse(source, {
    ecmaVersion: 'latest',
    sourceType: 'module',
    locations: true,
    allowHashBang: true,
  }) as unknown as Node;
  const insertions: Insertion[] = [];
  new Walk(module, insertions).outside(program, '');
  return woven(source, insertions);
}

function woven(source: string, insertions: Insertion[]): string {
  insertions.sort((a, b) => a.at - b.at || a.order - b.order);
  const pieces: string[] = [];
  let from = 0;
  for (const { at, text } of insertions) {
    pieces.push(source.slice(from, at), text);
    from = at;
  }
  pieces.push(source.slice(from));
  return pieces.join('');
}

class Walk {
  readonly #module: number;
  readonly #insertions: Insertion[];
  #depth = 0;
  /**
   * True if the current function has a frame. All have one, except arrow functions that are an
   * expression.
   */
  #hasFrame = false;

  constructor(module: number, insertions: Insertion[]) {
    this.#module = module;
    this.#insertions = insertions;
  }

  /** Walks code outside the statements of a function. Only functions and waits in it get calls. */
  outside(node: Node, name: string): void {
    this.#depth++;
    if (FUNCTIONS.has(node.type)) {
      const hadFrame = this.#hasFrame;
      this.#function(node, name);
      this.#hasFrame = hadFrame;
    } else {
      if (node.type === 'AwaitExpression') this.#wait(node);
      if (node.type === 'YieldExpression') {
        if (node.delegate === true) this.#delegate(node);
        else this.#wait(node);
      }
      for (const [key, child] of childrenOf(node)) this.outside(child, nameFor(node, key, name));
    }
    this.#depth--;
  }

  #function(node: Node, name: string): void {
    this.#hasFrame = false;
    for (const parameter of node.params as Node[]) this.outside(parameter, '');
    const body = node.body as Node;
    this.#hasFrame = body.type === 'BlockStatement';
    if (body.type !== 'BlockStatement') {
      if (lineOf(body) !== lineOf(node)) this.#around(body, `(${this.#line(body)},`, ')');
      this.outside(body, '');
      return;
    }
    const statements = body.body as Node[];
    const directives = statements.filter(({ directive }) => directive !== undefined).length;
    const own = JSON.stringify((node.id as Node | null)?.name ?? name);
    const last = statements[directives - 1];
    const enter = `${RECORDER}.enter(${this.#module},${lineOf(node)},${own})`;
    const begin = `${last === undefined ? '' : ';'}const ${FRAME}=${enter};try{`;
    this.#insert(last?.end ?? body.start + 1, begin, -1);
    this.#insert(body.end - 1, `}finally{${RECORDER}.exit(${FRAME});}`, 1000);
    for (const statement of statements.slice(directives)) this.#statement(statement);
  }

  /** A statement that may have another statement before it. */
  #statement(node: Node): void {
    if (!SILENT.has(node.type) && !isLoopUnderLabel(node)) {
      this.#insert(node.start, `${this.#line(node)};`);
    }
    this.#inside(node);
  }

  #inside(node: Node): void {
    this.#depth++;
    switch (node.type) {
      case 'BlockStatement':
        for (const child of node.body as Node[]) this.#statement(child);
        break;
      case 'LabeledStatement':
        this.#inside(node.body as Node);
        break;
      case 'IfStatement':
        this.outside(node.test as Node, '');
        this.#body(node.consequent as Node, node);
        this.#alternate(node);
        break;
      case 'WhileStatement':
      case 'DoWhileStatement':
        this.#condition(node.test as Node);
        this.#body(node.body as Node, node);
        break;
      case 'ForStatement':
        this.#for(node);
        break;
      case 'ForInStatement':
      case 'ForOfStatement':
        this.outside(node.left as Node, '');
        this.outside(node.right as Node, '');
        this.#body(node.body as Node, node, `${this.#line(node)};`);
        break;
      case 'SwitchStatement':
        this.outside(node.discriminant as Node, '');
        for (const { test, consequent } of node.cases as {
          test: Node | null;
          consequent: Node[];
        }[]) {
          if (test !== null) this.outside(test, '');
          for (const child of consequent) this.#statement(child);
        }
        break;
      case 'TryStatement':
        this.#inside(node.block as Node);
        if (node.handler !== null) this.#inside((node.handler as Node).body as Node);
        if (node.finalizer !== null) this.#inside(node.finalizer as Node);
        break;
      default:
        this.outside(node, '');
    }
    this.#depth--;
  }

  #for(node: Node): void {
    if (node.init !== null) this.outside(node.init as Node, '');
    if (node.update !== null) this.outside(node.update as Node, '');
    if (node.test === null) this.#body(node.body as Node, node, `${this.#line(node)};`);
    else {
      this.#condition(node.test as Node);
      this.#body(node.body as Node, node);
    }
  }

  /** A loop condition, which runs again in each turn. */
  #condition(test: Node): void {
    this.#around(test, `(${this.#line(test)}&&(`, '))');
    this.outside(test, '');
  }

  #alternate(node: Node): void {
    const alternate = node.alternate as Node | null;
    if (alternate === null) return;
    if (alternate.type !== 'IfStatement') {
      this.#body(alternate, node);
      return;
    }
    this.#condition(alternate.test as Node);
    this.#body(alternate.consequent as Node, alternate);
    this.#alternate(alternate);
  }

  /** The body of a loop or a condition. If it has no braces and its own line, it gets braces. */
  #body(body: Node, head: Node, first = ''): void {
    if (body.type === 'BlockStatement') {
      if (first !== '') this.#insert(body.start + 1, first, -1);
      this.#inside(body);
      return;
    }
    const isOnItsOwn = lineOf(body) !== lineOf(head);
    if (first !== '' || isOnItsOwn) this.#around(body, `{${first}`, '}');
    this.#depth++;
    if (isOnItsOwn) this.#statement(body);
    else this.#inside(body);
    this.#depth--;
  }

  /**
   * A `yield` or `await`: the function gives up the thread after its operand is computed, and
   * resumes later.
   */
  #wait(node: Node): void {
    const frame = this.#hasFrame ? FRAME : 'undefined';
    const hold = `${RECORDER}.hold(${frame},${this.#module},${lineOf(node)})`;
    const argument = node.argument as Node | null;
    const leave = this.#hasFrame && argument === null ? ` ${RECORDER}.leave(${FRAME})` : '';
    this.#around(node, `${RECORDER}.resume(${hold},`, `${leave})`);
    if (this.#hasFrame && argument !== null) {
      this.#around(argument, `${RECORDER}.leave(${FRAME},(`, '))', this.#depth + 0.5);
    }
  }

  #delegate(node: Node): void {
    this.#around(node, `${RECORDER}.join(${RECORDER}.delegate(${FRAME}),`, ')');
  }

  #line(node: Node): string {
    return `${RECORDER}.line(${this.#module},${lineOf(node)})`;
  }

  #around(node: Node, before: string, after: string, depth = this.#depth): void {
    this.#insert(node.start, before, depth);
    // Text that ends here stands from the inside out, and before any text that begins here.
    this.#insertions.push({ at: node.end, text: after, order: -1000 - depth });
  }

  #insert(at: number, text: string, order = this.#depth): void {
    this.#insertions.push({ at, text, order });
  }
}

const lineOf = (node: Node) => node.loc.start.line;

/** In `label: for (…)`, the label must stay before its loop, which has calls itself. */
const isLoopUnderLabel = ({ type, body }: Node) =>
  type === 'LabeledStatement' && SILENT.has((body as Node).type);

function* childrenOf(node: Node): Generator<[key: string, child: Node]> {
  for (const [key, value] of Object.entries(node)) {
    if (Array.isArray(value)) {
      for (const child of value) if (isNode(child)) yield [key, child];
    } else if (isNode(value)) yield [key, value];
  }
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

/** The name of a function as it appears in the code. */
function nameFor(node: Node, key: string, outer: string): string {
  if (key === 'value' && (node.type === 'MethodDefinition' || node.type === 'PropertyDefinition')) {
    return nameOfKey(node.key as Node);
  }
  if (key === 'value' && node.type === 'Property') return nameOfKey(node.key as Node);
  if (key === 'init' && node.type === 'VariableDeclarator') return nameOfKey(node.id as Node);
  return node.type === 'ParenthesizedExpression' ? outer : '';
}

function nameOfKey({ type, name, value }: Node): string {
  if (type === 'PrivateIdentifier') return `#${name}`;
  if (type === 'Identifier') return String(name);
  return type === 'Literal' ? String(value) : '';
}
