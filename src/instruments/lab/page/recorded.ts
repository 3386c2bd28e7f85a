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

/**
 * The recording of a scene, as the hub serves it.
 * @throws RecordingError
 */
export async function sceneRecording(name: string): Promise<readonly LabRecord[] | undefined> {
  const response = await fetch(`/recorded/${encodeURIComponent(name)}.mondolab`);
  if (!response.ok) return;
  return await unpack(new Uint8Array(await response.arrayBuffer()));
}
