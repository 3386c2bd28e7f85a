/** Recordings that a page has with it, or gets from its hub. */

import { unpack } from '../shared/recording.ts';
import type { LabRecord } from '../shared/records.ts';

/** Whether this page is a file of its own, with a recording in it. */
export const isStatic = (): boolean => document.getElementById('r') !== null;

/**
 * The recording that the page contains.
 * @throws RecordingError
 */
export async function embeddedRecording(): Promise<readonly LabRecord[] | undefined> {
  const element = document.getElementById('r');
  if (element === null) return;
  return await unpack(bytesOf(element.textContent));
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const letters = atob(base64.trim());
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

/** A request that takes longer than this is made again, in ms. */
const PATIENCE = 5000;

/**
 * Asks twice: a browser gives up requests when the network of the computer changes, such as its Wi-Fi, although the lab
 * is on the same computer.
 */
async function got(path: string): Promise<Response> {
  try {
    return await fetch(path, { signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    return await fetch(path);
  }
}

/**
 * The recording of a scene, as the hub serves it; undefined: it has none.
 * @throws RecordingError or Error if it cannot be had
 */
export async function sceneRecording(name: string): Promise<readonly LabRecord[] | undefined> {
  const response = await got(`/recorded/${encodeURIComponent(name)}.mondolab`).catch(() => {
    throw new Error('Cannot load the recording: the lab does not answer');
  });
  if (response.status === 404) return;
  if (!response.ok) {
    throw new Error(`Cannot load the recording: the lab answers ${response.status}`);
  }
  return await unpack(new Uint8Array(await response.arrayBuffer()));
}
