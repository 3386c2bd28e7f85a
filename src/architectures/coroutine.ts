/**
 * Node's own loop waits. Each conversation is an async function that reads like `single`. Where
 * `single` would block, it awaits, and the loop serves other clients until the wait is over. An answer
 * that takes long without an `await` still delays all other clients.
 */
import { endOfStream } from '../drivers/ended.ts';
import { NodeClient } from '../drivers/node/client.ts';
import { serveOnNode } from '../drivers/node/gate.ts';
import type { Next } from '../protocol/conversation.ts';
import type { NodeArchitecture } from '../worker/contract.ts';

async function handleConversation(client: NodeClient): Promise<void> {
  const { answers, conversation } = client;
  try {
    await sendAnswers(client, conversation.open(answers));
    for (;;) {
      const data = await client.read(); // gives the thread back to Node's loop
      await sendAnswers(client, conversation.receive(data, 0, data.length, answers));
    }
  } catch (reason) {
    await client.end(reason); // the client has closed, or its time is up
  }
}

/** Sends the answers and does what the conversation wants next, until it wants to read again. */
async function sendAnswers(client: NodeClient, first: Next): Promise<void> {
  for (let next = first; ; next = client.conversation.resume(client.answers)) {
    if (!client.write()) await client.answersTaken();
    if (next === undefined) return;
    if (next === 'close') throw endOfStream;
    if (next !== 'full') await client.until(next); // a time, or a promise
  }
}

export const coroutine: NodeArchitecture = {
  name: 'coroutine',
  chapter: 'srv_asyncio2',
  processModel: 'one thread',
  ioModel: "Node's own loop, async functions",
  conversations: 'tens of thousands',
  defeatedBy: 'one slow answer',
  arrangement: 'node',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: true },
  processes: { default: 1, adjustable: true },

  serve(host) {
    return serveOnNode(host, (...client) => void handleConversation(new NodeClient(...client)));
  },
};
