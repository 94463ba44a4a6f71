import { FilerError } from '../../errors.js';
import { signDelete } from '../../token/delete-token.js';
import { NoAnswerError } from './send-request.js';
import type { Verdict } from './verdict.js';
import type { StoredSample, Visit } from './visit.js';

const goneStatuses: readonly number[] = [404, 410];

/** DELETE as Metronome sends it; `undefined` without a deleteSecret. */
async function sendDelete(visit: Visit, { target, key }: StoredSample): Promise<number | undefined> {
  const { secret, deleteSecret } = visit.settings;
  if (deleteSecret === undefined) return undefined;
  const query = signDelete(secret, key, deleteSecret);
  return (await visit.send('DELETE', { method: 'DELETE', target: `${target}?${query}` })).status;
}

/** Whether what will be uploaded can be removed, and by what; else what the operator has to do. */
export async function checkRemoval(visit: Visit): Promise<Verdict> {
  const { removeFromStore, removeCommand, storage } = visit.settings;
  const key = visit.keyOf('missing.txt');
  const status = await sendDelete(visit, { target: visit.targetOf(key), key });
  if (status === 204) return `all that is uploaded goes into ${visit.slot} and is removed by DELETE`;
  if (typeof removeFromStore !== 'string')
    return `all that is uploaded goes into ${visit.slot} and is removed from ${storage}`;
  const why = status === undefined ? 'there is no deleteSecret' : `DELETE is ${status}`;
  return { skipped: `${why}; ${removeFromStore}. 20 MB will remain; on the server, ${removeCommand(visit.slot)}` };
}

async function isRemoved(visit: Visit, stored: StoredSample): Promise<boolean> {
  try {
    const { removeFromStore } = visit.settings;
    if (typeof removeFromStore !== 'string' && (await removeFromStore(stored.key))) return true;
    if ((await sendDelete(visit, stored)) === 204) return true;
    const { status } = await visit.send('GET', { method: 'GET', target: stored.target });
    return goneStatuses.includes(status);
  } catch (error) {
    if (error instanceof NoAnswerError || error instanceof FilerError) return false;
    throw error;
  }
}

/** Removes all that the visit stored, nothing else. */
export async function removeSamples(visit: Visit): Promise<Verdict> {
  const { deleteSecret, removeFromStore, removeCommand } = visit.settings;
  const remaining: StoredSample[] = [];
  for (const stored of visit.stored) if (!(await isRemoved(visit, stored))) remaining.push(stored);
  if (remaining.length === 0) return `${visit.stored.size} files, all are gone`;
  const found = `${remaining.length} of ${visit.stored.size} files remain`;
  const change = `on the server, ${removeCommand(visit.slot)}`;
  if (deleteSecret === undefined && typeof removeFromStore === 'string') return { skipped: `${found}: ${change}` };
  return {
    found,
    cause: 'the server has another storeDir or bucket, or refuses the deleteSecret of this configuration',
    change,
  };
}
